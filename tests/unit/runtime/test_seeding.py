"""Named streams: pinned values, independence of paths, exact ranges."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.seeding import Stream

NAMES = st.lists(st.one_of(st.text(max_size=5), st.integers()), max_size=3).map(tuple)


def test_first_word_is_the_documented_hash():
    # root 7 and name "a", spelled out: tag, length, text, for every part; then the counter 0
    path = b"toolkit-stream-1" + b"i\x00\x00\x00\x017" + b"s\x00\x00\x00\x01a"
    key = hashlib.sha256(path).digest()
    word = int.from_bytes(hashlib.sha256(key + bytes(8)).digest()[:8], "big")
    assert Stream(7, "a").below(1 << 64) == word


def test_values_never_change():
    # Runs are reproduced across releases: these literals are part of the format.
    stream = Stream(0, "golden")
    assert [stream.below(100) for _ in range(6)] == [92, 76, 43, 47, 13, 43]
    assert stream.uniform() == 0.6229964461358186
    assert stream.shuffled("abcdef") == ["e", "c", "f", "d", "a", "b"]
    assert stream.pick(range(10), 3) == [5, 4, 8]
    assert Stream(0, "golden").seed == 7099842626640371756


def test_the_same_path_gives_the_same_values():
    first, second = Stream(3, "split", 1), Stream(3).child("split").child(1)
    assert [first.uniform() for _ in range(9)] == [second.uniform() for _ in range(9)]


@pytest.mark.parametrize(
    "other",
    [
        Stream(1, "a", "b"),
        Stream(0, "b", "a"),
        Stream(0, "ab"),
        Stream(0, "a"),
        Stream(0, "a", "b", ""),
        Stream(0, "a", "b", 0),
        Stream(0),
    ],
    ids=repr,
)
def test_another_path_gives_other_values(other):
    assert other.seed != Stream(0, "a", "b").seed
    assert other.below(1 << 64) != Stream(0, "a", "b").below(1 << 64)


def test_a_number_and_its_digits_are_different_names():
    assert Stream(0, 1).seed != Stream(0, "1").seed


@given(st.integers(), NAMES, st.integers(), NAMES)
def test_seeds_collide_only_for_equal_paths(root, names, other_root, other_names):
    same = (root, names) == (other_root, other_names)
    assert (Stream(root, *names).seed == Stream(other_root, *other_names).seed) is same


def test_drawing_moves_neither_children_nor_the_seed():
    used, fresh = Stream(5, "x"), Stream(5, "x")
    for _ in range(7):
        used.below(3)
    assert used.seed == fresh.seed
    assert used.child("y").below(1000) == fresh.child("y").below(1000)


def test_seeds_fit_their_users():
    for index in range(200):
        stream = Stream(0, index)
        assert 0 <= stream.seed < 1 << 63
        assert 0 <= stream.seed32 < 1 << 32


@given(st.integers(min_value=1, max_value=1 << 64), st.integers())
def test_below_stays_in_range(n, root):
    assert 0 <= Stream(root).below(n) < n


class Scripted(Stream):
    """A stream whose words are given."""

    __slots__ = ("words",)

    def __init__(self, *words):
        super().__init__(0)
        self.words = list(words)

    def _word(self):
        return self.words.pop(0)


def test_below_rejects_words_that_would_bias():
    # 2**64 % 10 == 6, so the last six words of the range must be drawn again
    assert Scripted((1 << 64) - 6, (1 << 64) - 1, 23).below(10) == 3
    assert Scripted((1 << 64) - 7).below(10) == 9


def test_uniform_covers_its_ends():
    assert Scripted(0).uniform() == 0.0
    assert Scripted((1 << 64) - 1).uniform() == 1 - 2**-53


def test_integer_has_both_ends():
    stream = Stream(1, "ends")
    assert {stream.integer(-1, 1) for _ in range(200)} == {-1, 0, 1}
    assert stream.integer(4, 4) == 4


@pytest.mark.parametrize("p", [0.0, 0.25, 1.0])
def test_bernoulli_always_consumes_one_value(p):
    stream, reference = Stream(2), Stream(2)
    stream.bernoulli(p)
    reference.uniform()
    assert stream.uniform() == reference.uniform()


def test_bernoulli_is_certain_at_the_ends():
    stream = Stream(2)
    assert not any(stream.bernoulli(0.0) for _ in range(100))
    assert all(stream.bernoulli(1.0) for _ in range(100))


@given(st.lists(st.integers(), max_size=20), st.integers())
def test_shuffled_keeps_every_item_and_the_argument(items, root):
    before = list(items)
    assert sorted(Stream(root).shuffled(items)) == sorted(items)
    assert items == before


@given(st.integers(min_value=0, max_value=20), st.data())
def test_pick_takes_distinct_items(size, data):
    k = data.draw(st.integers(min_value=0, max_value=size))
    picked = Stream(9).pick(range(size), k)
    assert len(picked) == len(set(picked)) == k
    assert set(picked) <= set(range(size))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.below(0), r"n must be in \[1, 2\*\*64\], got 0"),
        (lambda s: s.below((1 << 64) + 1), r"n must be in"),
        (lambda s: s.integer(2, 1), r"the range \[2, 1\] is empty"),
        (lambda s: s.bernoulli(1.5), r"p must be in \[0, 1\], got 1.5"),
        (lambda s: s.bernoulli(float("nan")), r"p must be in"),
        (lambda s: s.choice([]), "empty sequence"),
        (lambda s: s.pick([1], 2), "cannot pick 2 of 1 items"),
    ],
)
def test_bad_requests_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(Stream(0))


@pytest.mark.parametrize("root", [True, 1.0, "1", None])
def test_a_root_that_is_no_integer_is_refused(root):
    with pytest.raises(TypeError, match="root must be an integer"):
        Stream(root)


@pytest.mark.parametrize("name", [1.0, None, True, b"x"])
def test_a_name_that_is_neither_text_nor_integer_is_refused(name):
    with pytest.raises(TypeError, match="a stream name must be an integer or text"):
        Stream(0, name)


def test_integer_like_roots_are_accepted():
    class Index:
        def __index__(self):
            return 12

        __int__ = __index__

    assert Stream(Index()).seed == Stream(12).seed
