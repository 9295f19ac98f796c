import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dentify.errors import ImageError
from dentify.imaging.decode import decode_photo
from dentify.imaging.segments import START_OF_SCAN, list_segments
from dentify.settings import Settings

MANY = 100_000


def jpeg(*, progressive: bool = False, restart: int = 0) -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    Image.fromarray(pixels).save(stream, "JPEG", progressive=progressive, restart_marker_blocks=restart)
    return stream.getvalue()


@pytest.mark.parametrize(("options", "scans"), [({}, 1), ({"restart": 1}, 1), ({"progressive": True}, 10)])
def test_scans_are_counted_by_their_markers_and_restarts_are_none(options, scans):
    segments = list_segments(jpeg(**options), most=MANY)
    assert sum(segment.marker == START_OF_SCAN for segment in segments) == scans
    assert segments[-1].marker == 0xD9


@given(st.lists(st.tuples(st.sampled_from([0xE1, 0xDB, 0xC4, 0xFE]), st.binary(max_size=40)), max_size=20))
def test_each_segment_is_passed_over_by_its_length_whatever_it_holds(pieces):
    data, expected = b"\xff\xd8", []
    for marker, body in pieces:
        expected.append((marker, len(data) + 2))
        data += bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body
    assert [tuple(one) for one in list_segments(data, most=MANY)] == expected


def test_what_stands_behind_the_end_is_not_listed():
    assert list_segments(jpeg() * 2, most=MANY) == list_segments(jpeg(), most=MANY)


def test_no_more_are_listed_than_asked_for():
    assert len(list_segments(b"\xff\xd8" + b"\xff\xe0\x00\x02" * 1000, most=10)) == 10


def test_a_jpeg_with_tiny_segments_without_end_behind_its_scan_is_refused():
    data = jpeg()
    with pytest.raises(ImageError, match=r"busy\.jpg: this JPEG has more than 10,000 segments, made to keep a reader busy"):
        decode_photo(data[:-2] + b"\xff\xe0\x00\x02" * 20_000 + data[-2:], where="busy.jpg", settings=Settings())
