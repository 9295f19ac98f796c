"""Photos from Flickr under chosen licences, with a list of where each came from.

    for one in collect_flickr("car dent", "cars", count=200, licences="cc0,by", api_key=key):
        print(one.photo_id, one.file or one.reason)

A photo 123 becomes `cars/123.jpg`, its bytes as Flickr served them, and a row of `cars/photos.csv`, which `read_photos` reads.
A photo and its row are written whole, one after the other, so a killed run leaves a good list, and the next one goes on with it.

Everything that comes back is taken for hostile: `client` says how a photo is fetched; it is decoded before it counts, and ids
become file names only where they are digits.
"""

from dentify.collecting.flickr.client import ENDPOINT, KEY_PAGE
from dentify.collecting.flickr.collect import Collected, Size, collect_flickr
from dentify.collecting.flickr.licences import Licence, licence_at, parse_licences
from dentify.collecting.flickr.photo_list import COLUMNS

__all__ = [
    "COLUMNS",
    "ENDPOINT",
    "KEY_PAGE",
    "Collected",
    "Licence",
    "Size",
    "collect_flickr",
    "licence_at",
    "parse_licences",
]
