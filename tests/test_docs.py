"""Pages: their links lead somewhere, and the list of rooms is the tree's."""

import re
from functools import cache
from pathlib import Path

import pytest
from mmengine.config import Config

ROOT = Path(__file__).parents[1]
PAGES = [
    *sorted(ROOT.glob('*.md')),
    *sorted(ROOT.glob('docs/**/*.md')),
    *sorted(ROOT.glob('configs/**/*.md')),
]


def text_of(page):
    """Without blocks of code."""
    return re.sub(r'```.*?```', '', page.read_text(), flags=re.DOTALL)


def anchors(page):
    """Of the headings, as GitHub makes them."""
    for title in re.findall(r'^#+ (.*)$', text_of(page), re.MULTILINE):
        kept = re.sub(r'[^\w\- ]', '', title.strip().lower())
        yield kept.replace(' ', '-')


@pytest.mark.parametrize('page', PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in re.findall(r'\]\(([^)\s]+)\)', text_of(page)):
        if re.match(r'[a-z]+:', link):
            continue
        path, _, anchor = link.partition('#')
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor and target.suffix == '.md':
            assert anchor in set(anchors(target)), link


def test_the_rooms_are_those_of_the_tree():
    page = (ROOT / 'docs/architecture.md').read_text()
    listed = re.findall(r'^\| `(mmseg_plugin/.*?)` \|', page, re.MULTILINE)
    packages = {
        str(init.parent.relative_to(ROOT))
        for init in ROOT.glob('mmseg_plugin/*/**/__init__.py')
        if '.mim' not in init.parts
    }
    assert len(listed) == len(set(listed))
    assert set(listed) == packages


def test_the_index_is_found_from_the_readme():
    assert '(docs/index.md)' in (ROOT / 'README.md').read_text()
    assert '(docs/architecture.md)' in (ROOT / 'README.md').read_text()


@pytest.mark.parametrize(
    'page',
    sorted(ROOT.glob('configs/*/README.md')),
    ids=lambda p: p.parent.name,
)
def test_the_expanded_model_is_that_of_the_config(page, tmp_path):
    name, shown = re.search(
        r'<summary><code>(.*?)</code></summary>\n+```python\n(.*?)```',
        page.read_text(),
        re.DOTALL,
    ).groups()
    path = tmp_path / 'shown.py'
    path.write_text(shown)
    config = Config.fromfile(page.parent / f'{name}.py')
    assert Config.fromfile(path).model.to_dict() == config.model.to_dict()


def test_what_pages_name_of_the_tests_is_there():
    for page in PAGES:
        text = page.read_text()
        paths = re.findall(r'\btests/[\w/.]*\w', text)
        for module in re.findall(
            r'python3? -m ((?:tests|benchmarks)[\w.]*\w)', text
        ):
            path = module.replace('.', '/')
            is_folder = (ROOT / path).is_dir()
            paths.append(f'{path}/__main__.py' if is_folder else f'{path}.py')
        for path in paths:
            assert (ROOT / path).exists(), f'{page}: {path}'
    files = (ROOT / 'tests').glob('**/test_*.py')
    code = '\n'.join(file.read_text() for file in files)
    promises = (ROOT / 'docs/reliability.md').read_text()
    for name in re.findall(r'`(test_\w+)`', promises):
        assert f'def {name}(' in code, name


@cache
def source_text():
    """The package's code, string literals that follow each other joined."""
    files = [*ROOT.glob('mmseg_plugin/**/*.py'), *ROOT.glob('tools/*.py')]
    text = '\n'.join(file.read_text() for file in files)
    return re.sub(r"'\s*\n?\s*f?'", '', text)


def quoted_sentences():
    page = (ROOT / 'docs/troubleshooting.md').read_text()
    ours, _, _ = page.partition('## mmdet and mmseg')
    for title in re.findall(r'^### (.*)$', ours, re.MULTILINE):
        yield from re.findall(r'`([^`]+)`', title)


@pytest.mark.parametrize('sentence', quoted_sentences())
def test_quoted_errors_are_those_of_the_code(sentence):
    parts = [part.strip() for part in sentence.split('...')]
    assert max(map(len, parts)) >= 8
    for part in filter(None, parts):
        assert part in source_text(), part
