"""Label maps of semantic segmentation."""

from .findings import Hits, Options, check, listed
from .maps import MapFacts, places_where
from .snapshot import Snapshot

KINDS = ('semantic',)
VOID = 255
VOID_SHARE = 0.5


@check(
    'semantic.missing',
    'error',
    'images have no label map, or one that cannot be read',
    'add the map: the name of the image, with the ending .png',
    kinds=KINDS,
)
def missing(snapshot: Snapshot, options: Options) -> Hits:
    return listed(
        [f'{f.path.name}: {f.problem}' for f in snapshot.maps if f.problem]
    )


@check(
    'semantic.mode',
    'error',
    'maps are coloured: the number of a class is read from one channel',
    'save class numbers as 8-bit grey or palette PNG',
    kinds=KINDS,
)
def mode(snapshot: Snapshot, options: Options) -> Hits:
    return listed(
        places_where(
            snapshot.maps,
            lambda f: '' if f.mode in ('L', 'P') else f.mode,
        )
    )


@check(
    'semantic.values',
    'error',
    'maps hold numbers beyond the classes: training stops',
    'name all classes, or set those pixels to 255 (void)',
    kinds=KINDS,
)
def values(snapshot: Snapshot, options: Options) -> Hits:
    count = len(options.classes or snapshot.categories)

    def beyond(fact: MapFacts) -> str:
        found = [v for v in fact.areas if v >= count and v != VOID]
        return ', '.join(map(str, found[:5]))

    return listed(places_where(snapshot.maps, beyond) if count else [])


@check(
    'semantic.two-values',
    'error',
    'all maps hold one number beside 255, which is void: nothing is learned '
    'but that class',
    'write 1 in place of 255 for what is to be found (binary masks)',
    kinds=KINDS,
)
def two_values(snapshot: Snapshot, options: Options) -> Hits:
    found = {v for fact in snapshot.maps for v in fact.areas}
    alone = VOID in found and len(found) == 2
    return listed(sorted(map(str, found)) if alone else [])


@check(
    'semantic.void',
    'note',
    'more than half of the map is void (255)',
    'annotate the rest, or cut the image',
    kinds=KINDS,
)
def void(snapshot: Snapshot, options: Options) -> Hits:
    def share(fact: MapFacts) -> str:
        part = fact.areas.get(VOID, 0) / max(1, fact.size[0] * fact.size[1])
        return f'{part:.0%}' if part > VOID_SHARE else ''

    return listed(places_where(snapshot.maps, share))


@check(
    'semantic.size',
    'error',
    'maps have another size than their image',
    'save them at the size of the image, without interpolation',
    kinds=KINDS,
    reads_images=True,
)
def size(snapshot: Snapshot, options: Options) -> Hits:
    found = []
    for label, image in zip(snapshot.maps, snapshot.facts, strict=True):
        # Maps are read as they are stored, whatever their EXIF says.
        seen = image.shown if options.turns else image.size
        if not label.problem and not image.problem and label.size != seen:
            found.append(
                f'{label.path.name}: {label.size[0]} x {label.size[1]}, the '
                f'image {seen[0]} x {seen[1]}'
            )
    return listed(found)
