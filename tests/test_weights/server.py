"""A server of small files, which can break off as real ones do."""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Files(BaseHTTPRequestHandler):
    """Serves ``server.files``; parts of them if asked for.

    ``server.most`` bytes come in one reply, None: all. ``server.manner`` is
    how it serves: ``'good'``; ``'no ranges'``; ``'any ranges'``, though the
    file is another one now; ``'other ranges'`` than asked for; ``'no
    length'``; ``'moved'``, to the same name below ``/new``; ``'in circles'``;
    ``'silent'``: no byte.
    """

    def do_GET(self):
        server = self.server
        server.asked.append((self.path, self.headers.get('Range')))
        manner = server.manner
        if manner == 'in circles':
            self.redirect(self.path)
        elif manner == 'moved' and not self.path.startswith('/new'):
            self.redirect(f'/new{self.path}')
        elif manner == 'silent':
            server.over.wait(5)
        else:
            self.serve(self.path.removeprefix('/new'), manner)

    def redirect(self, where):
        self.send_response(302)
        self.send_header('Location', where)
        self.send_header('Content-Length', '0')
        self.end_headers()

    def serve(self, path, manner):
        if path not in self.server.files:
            self.send_error(404)
            return
        content, tag = self.server.files[path]
        begin = 0
        asked = self.headers.get('Range')
        same = self.headers.get('If-Range') == tag or manner == 'any ranges'
        if asked and same and manner != 'no ranges':
            begin = int(asked.removeprefix('bytes=').rstrip('-'))
        if begin and begin >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        self.send_header('ETag', tag)
        if begin and manner == 'other ranges':
            begin += 1
        if begin:
            whole = len(content)
            place = f'bytes {begin}-{whole - 1}/{whole}'
            self.send_header('Content-Range', place)
        if manner != 'no length':
            self.send_header('Content-Length', str(len(content) - begin))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(content[begin:][: self.server.most])

    def log_message(self, *args):
        """Prints nothing."""


@contextlib.contextmanager
def served(files):
    """Server of ``{path: (bytes, tag)}``."""
    server = ThreadingHTTPServer(('127.0.0.1', 0), Files)
    server.files, server.most, server.asked = files, None, []
    server.manner, server.over = 'good', threading.Event()
    server.url = f'http://127.0.0.1:{server.server_port}'
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def write_table(folder, **weights):
    """A table of one's own in the cache folder."""
    source = {'layout': 'mmdet', 'licence': 'CC0', 'page': 'http://page'}
    table = {'sources': {'own': source}, 'weights': weights}
    folder.mkdir(exist_ok=True)
    (folder / 'table.json').write_text(json.dumps(table))
