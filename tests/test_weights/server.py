"""A server of small files, which can break off as real ones do."""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Files(BaseHTTPRequestHandler):
    """Serves ``server.files``; parts of them if asked for.

    ``server.most`` bytes come in one reply, None: all.
    """

    def do_GET(self):
        server = self.server
        server.asked.append((self.path, self.headers.get('Range')))
        if self.path not in server.files:
            self.send_error(404)
            return
        content, tag = server.files[self.path]
        begin = 0
        asked = self.headers.get('Range')
        if asked and self.headers.get('If-Range') == tag:
            begin = int(asked.removeprefix('bytes=').rstrip('-'))
        self.send_response(206 if begin else 200)
        self.send_header('ETag', tag)
        self.send_header('Content-Length', str(len(content) - begin))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(content[begin:][: server.most])

    def log_message(self, *args):
        """Prints nothing."""


@contextlib.contextmanager
def served(files):
    """Server of ``{path: (bytes, tag)}``."""
    server = ThreadingHTTPServer(('127.0.0.1', 0), Files)
    server.files, server.most, server.asked = files, None, []
    server.url = f'http://127.0.0.1:{server.server_port}'
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def write_table(folder, **weights):
    """A table of one's own in the cache folder."""
    source = {'layout': 'mmdet', 'licence': 'CC0', 'page': 'http://page'}
    table = {'sources': {'own': source}, 'weights': weights}
    folder.mkdir(exist_ok=True)
    (folder / 'table.json').write_text(json.dumps(table))
