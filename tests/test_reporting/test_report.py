"""A report from a run, opened in a browser."""

import re
import shutil

import pytest

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.reporting import build_report
from mmseg_plugin.reporting.sections import SECTIONS

BROWSERS = ('chromium-headless-shell', 'chromium', 'google-chrome')


@pytest.fixture(scope='session')
def report(small_run):
    out = small_run / 'report.html'
    build_report([small_run], out)
    return out


def test_every_section_is_there(report):
    text = report.read_text(encoding='utf-8')
    titles = re.findall(r'<h2>(.*?)</h2>', text)
    assert set(titles) == set(SECTIONS) - {
        # Of instances: this run gives none.
        'Precision and recall',
        'Are scores probabilities?',
    }
    assert 'data:image/jpeg' in text
    assert 'PQ of panoptic segmentation' in text
    assert 'num_things_classes' in text
    assert not re.search(r'(src|href)="(?!data:|#)', text)


def test_predictions_are_kept_and_of_one_checkpoint(report, monkeypatch):
    monkeypatch.setattr(
        'mmseg_plugin.reporting.evaluate._predict',
        lambda *_: pytest.fail('ran'),
    )
    build_report([report.parent], report)


def test_runs_side_by_side(report, tmp_path):
    other = tmp_path / 'other'
    shutil.copytree(report.parent, other)
    for path in other.glob('*.pth'):
        path.unlink()
    out = tmp_path / 'both.html'
    build_report([report.parent, other], out)
    text = out.read_text(encoding='utf-8')
    assert '<h2>Comparison</h2>' in text
    assert 'other: Outcome' in text
    assert 'has no checkpoint' in text


def test_without_predicting_what_was_logged_is_told(report, tmp_path):
    out = tmp_path / 'log.html'
    build_report([report.parent], out, predict=False)
    text = out.read_text(encoding='utf-8')
    assert 'Nothing was predicted' in text
    assert '<h2>Training</h2>' in text
    assert '<h2>Classes</h2>' not in text


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(UserError, match='not the work_dir of a run'):
        build_report([tmp_path], tmp_path / 'report.html')
    assert not list(tmp_path.iterdir())


@pytest.fixture
def browser():
    playwright = pytest.importorskip('playwright.sync_api')
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f'none of {", ".join(BROWSERS)} is installed')
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=path, args=['--no-sandbox']
        )
        yield browser
        browser.close()


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_in_a_browser(report, browser, scheme):
    page = browser.new_page(
        viewport={'width': 420, 'height': 900}, color_scheme=scheme
    )
    said, asked = [], []
    page.on('console', lambda message: said.append(message.text))
    page.on('pageerror', lambda error: said.append(str(error)))
    page.on('request', lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    widths = page.eval_on_selector_all(
        'img', 'images => images.map(i => i.complete && i.naturalWidth)'
    )
    assert widths
    assert all(widths)
    assert [url for url in asked if not url.startswith('data:')] == [
        report.as_uri()
    ]
    # Wide tables scroll by themselves, a narrow page does not.
    assert page.evaluate('document.documentElement.scrollWidth') <= 420
    _sorts_by_keyboard(page)
    assert said == []
    colours = page.evaluate(
        'ts => [document.body, document.querySelector("svg text")].map('
        'e => getComputedStyle(e)).map(s => [s.backgroundColor, s.color, '
        's.fill])'
    )
    (background, ink, _), (*_, words) = colours
    dark = sum(map(int, re.findall(r'\d+', background)[:3])) < 3 * 128
    assert dark == (scheme == 'dark')
    assert words == ink


def _sorts_by_keyboard(page):
    table = page.locator('table.sortable').first
    head = table.locator('th').nth(1)
    numbers = 'tbody tr td:nth-child(2)'

    def column():
        return [
            float(cell.get_attribute('data-value'))
            for cell in table.locator(numbers).all()
        ]

    head.locator('button').focus()
    page.keyboard.press('Enter')
    assert head.get_attribute('aria-sort') == 'ascending'
    assert column() == sorted(column())
    page.keyboard.press('Space')
    assert head.get_attribute('aria-sort') == 'descending'
    assert column() == sorted(column(), reverse=True)


def test_the_run_left_pictures_that_are_in_the_report(report):
    folder = report.parent / 'pictures'
    assert (folder / 'first_batch.jpg').is_file()
    assert len(list((folder / 'iter_2').iterdir())) == 4
    text = report.read_text(encoding='utf-8')
    assert 'The first batch after augmentation' in text
    assert 'What was found in one image after 2 iterations' in text
