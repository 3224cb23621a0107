"""COCO panoptic: the maps against the JSON."""

from collections import Counter
from collections.abc import Iterator

from mmseg_plugin.datasets.panoptic_fields import area_fits, is_thing

from .findings import Hits, Options, check, listed
from .maps import MapFacts, places_where
from .snapshot import Snapshot

KINDS = ('panoptic',)
LARGEST = 2**24
VOID_SHARE = 0.5


def _pairs(snapshot: Snapshot) -> Iterator[tuple[dict, MapFacts]]:
    """Annotations and their maps, of those that can be compared."""
    rows = zip(snapshot.annotations, snapshot.maps, strict=True)
    return ((a, f) for a, f in rows if not f.problem and f.mode in _COLOURS)


_COLOURS = ('RGB', 'RGBA')


def _segments(snapshot: Snapshot) -> Iterator[tuple[str, dict]]:
    for annotation in snapshot.annotations:
        for segment in annotation.get('segments_info') or ():
            yield str(annotation.get('file_name')), segment


@check(
    'panoptic.missing',
    'error',
    'maps are not there, or cannot be read',
    'put them beside the JSON, or take the entries out',
    kinds=KINDS,
)
def missing(snapshot: Snapshot, options: Options) -> Hits:
    return listed(
        [f'{f.path.name}: {f.problem}' for f in snapshot.maps if f.problem]
    )


@check(
    'panoptic.mode',
    'error',
    'maps are not coloured: palette, grey or 16-bit ids match no segment',
    'save id = R + 256 G + 65536 B as 8-bit RGB',
    kinds=KINDS,
)
def mode(snapshot: Snapshot, options: Options) -> Hits:
    return listed(
        places_where(
            snapshot.maps, lambda f: '' if f.mode in _COLOURS else f.mode
        )
    )


@check(
    'panoptic.no-pixels',
    'error',
    'segments of the JSON have no pixel in their map: nothing is trained',
    'look whether map and JSON belong together',
    kinds=KINDS,
)
def no_pixels(snapshot: Snapshot, options: Options) -> Hits:
    return listed(
        [
            f'{fact.path.name}: id {segment.get("id")}'
            for annotation, fact in _pairs(snapshot)
            for segment in annotation.get('segments_info') or ()
            if segment.get('id') not in fact.areas
        ]
    )


@check(
    'panoptic.no-segment',
    'warning',
    'pixels have an id that the JSON does not list: read as void',
    'list them, or set them to 0',
    kinds=KINDS,
)
def no_segment(snapshot: Snapshot, options: Options) -> Hits:
    found = []
    for annotation, fact in _pairs(snapshot):
        known = {s.get('id') for s in annotation.get('segments_info') or ()}
        extra = sorted(fact.areas.keys() - known - {0})
        found += [f'{fact.path.name}: id {value}' for value in extra]
    return listed(found)


@check(
    'panoptic.area',
    'error',
    'areas are not those of the maps',
    'count the pixels (--fix does)',
    kinds=KINDS,
)
def area(snapshot: Snapshot, options: Options) -> Hits:
    return listed(
        [
            f'{fact.path.name}: id {s["id"]} has {fact.areas[s["id"]]}, '
            f'stated {s.get("area")}'
            for annotation, fact in _pairs(snapshot)
            for s in annotation.get('segments_info') or ()
            if s.get('id') in fact.areas
            and s.get('area') is not None
            and not area_fits(s['area'], fact.areas[s['id']])
        ]
    )


@check(
    'panoptic.id',
    'error',
    'segment ids are 0, which is void, or do not fit 24 bits',
    'number the segments of each image from 1',
    kinds=KINDS,
)
def segment_id(snapshot: Snapshot, options: Options) -> Hits:
    return listed(
        [
            f'{name}: {segment.get("id")}'
            for name, segment in _segments(snapshot)
            if not 0 < (segment.get('id') or 0) < LARGEST
        ]
    )


@check(
    'panoptic.category',
    'error',
    'segments name a category that is not listed',
    'list it',
    kinds=KINDS,
)
def category(snapshot: Snapshot, options: Options) -> Hits:
    known = {c.get('id') for c in snapshot.categories}
    return listed(
        [
            f'{name}: {segment.get("category_id")}'
            for name, segment in _segments(snapshot)
            if segment.get('category_id') not in known
        ]
    )


@check(
    'panoptic.no-things',
    'error',
    'no category is a thing (isthing, as datumaro leaves it): no instance '
    'is loaded',
    'set isthing to 1 for what can be counted',
    kinds=KINDS,
)
def no_things(snapshot: Snapshot, options: Options) -> Hits:
    things = any(map(is_thing, snapshot.categories))
    return listed([] if things else ['isthing'])


@check(
    'panoptic.nothing',
    'error',
    'there is no thing to train on: with an area, and no crowd',
    'set iscrowd to 0 where it is one object',
    kinds=KINDS,
)
def nothing(snapshot: Snapshot, options: Options) -> Hits:
    things = {c.get('id') for c in snapshot.categories if is_thing(c)}
    learned = any(
        segment.get('category_id') in things
        and not segment.get('iscrowd')
        and segment.get('area') != 0
        for _, segment in _segments(snapshot)
    )
    return listed(['segments_info'] if things and not learned else [])


@check(
    'panoptic.stuff-pieces',
    'warning',
    'a stuff class has several segments in one image: evaluation joins none',
    'join them into one segment',
    kinds=KINDS,
)
def stuff_pieces(snapshot: Snapshot, options: Options) -> Hits:
    stuff = {
        c.get('id'): c.get('name')
        for c in snapshot.categories
        if not is_thing(c)
    }
    counts = Counter(
        (name, segment.get('category_id'))
        for name, segment in _segments(snapshot)
        if segment.get('category_id') in stuff
    )
    return listed(
        [
            f'{name}: {count} of {stuff[chosen]}'
            for (name, chosen), count in counts.items()
            if count > 1
        ]
    )


@check(
    'panoptic.void',
    'note',
    'more than half of the map is void',
    'annotate the rest, or cut the image',
    kinds=KINDS,
)
def void(snapshot: Snapshot, options: Options) -> Hits:
    def share(fact: MapFacts) -> str:
        part = fact.areas.get(0, 0) / max(1, fact.size[0] * fact.size[1])
        return f'{part:.0%}' if part > VOID_SHARE else ''

    return listed(places_where(snapshot.maps, share))


@check(
    'panoptic.size',
    'error',
    'maps have another size than their image',
    'save them at the size of the image, without interpolation',
    kinds=KINDS,
)
def size(snapshot: Snapshot, options: Options) -> Hits:
    places = [
        snapshot.image_index.get(a.get('image_id'), -1)
        for a in snapshot.annotations
    ]
    return listed(
        [
            f'{fact.path.name}: {fact.size[0]} x {fact.size[1]}'
            for place, fact in zip(places, snapshot.maps, strict=True)
            if place >= 0
            and not fact.problem
            and fact.size != tuple(snapshot.sizes[place])
        ]
    )
