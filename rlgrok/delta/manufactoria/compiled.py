"""The judge as machine code: reading and running whole batches of programs, by numba.

`_read` is `dsl.parse` on ASCII bytes and the runs are `machine.run` on numbered nodes; the tests hold both to those.
All compiled functions live in this one file, because numba's cache on disk notices changes of a function's own file
only. Importing it imports numba (half a second), so only `batch.py` does, and only when there is something to judge.
What surprises: nothing here raises; a text whose names crowd the hash table is answered with `UNREAD`, and the caller
asks the plain parser.

Layouts, all in flat arrays. Symbols are 0 to 3 for R B Y G, `STOP` after the last one, `FOREIGN` for anything else. A
state is a node plus `FIRST_NODE`, or one of the three ends below it; its row is eight times that. A table has eight
cells a row, one for each symbol in front. In `steps` a cell is one move: `next state << 7 | (painted symbol + 1) << 1 |
whether the symbol is taken`. In `leaps` a cell is all moves from a puller to the next one that finds another symbol in
front; its fields are named below.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from rlgrok.delta.manufactoria.tables import MAX_VISITS

STOP, FOREIGN = 4, 5
NONE, ACCEPTED, UNKNOWN, FIRST_NODE = 0, 1, 2, 3
LIMIT = 3
"""How a run ended, besides the three ends: cut off by the limit on visits."""
UNREAD = -1
"""Not a category of parse errors: the plain parser has to read this text."""

# Parse categories: positions in `dsl.ParseCategory`, counted from 1; 0 for a program.
(
    EMPTY_PROGRAM,
    INVALID_DECLARATION,
    END_COLON,
    MISSING_COLON,
    DUPLICATE_ID,
    START_NAME,
    END_NAME,
    INVALID_PULLER_ROUTE,
    INVALID_NEXT_ROUTE,
    END_ROUTE,
    EXACTLY_ONE_NEXT,
    INVALID_CONDITION,
    NO_START,
    NO_END,
    UNDEFINED_NODE,
) = range(1, 16)
LINE, KIND, COUNT, NAME_LOW, NAME_HIGH, OTHER_LOW, OTHER_HIGH, NUM_NAMES, NUM_FACTS = range(9)
"""What is told of a text that is no program; see `batch.parse_error`. Positions count from the start of all texts."""
PASSED, ACCEPTS, OPEN = 1, 2, 4
"""Bits of an outcome. `OPEN`: accepted, and what the tape must be is not a plain tape; the caller compares."""
CHECKS_OUTPUT, WANTS_ACCEPTED, NOT_PLAIN = 1, 2, 4
"""Bits of a test."""
PADDING = 16
"""Bytes that must be readable after the last text."""
SLACK = 8
"""The same after the last tape and the last expected output."""

# Node kinds: positions in `dsl.Kind`.
_START, _END, _RB, _YG, _RED, _BLUE, _YELLOW, _GREEN = range(8)
_NEWLINE, _TAB, _SPACE, _HASH, _COLON, _OPEN, _CLOSE, _TICK = 10, 9, 32, 35, 58, 91, 93, 96
_ROUTES = 5  # R B Y G and EMPTY; NEXT is written to all five
_MAX_PROBES = 64  # names that crowd one place of the table more than this were made to
_MAX_LEAPING = 256  # nodes; larger programs are run move by move
_MAX_PAINTED = 8  # symbols in one leap
_OVERFLOW = UNKNOWN * 8  # row of a leap that paints more
_END_ROWS = FIRST_NODE * 8
_VISITS, _PAINTED, _ROW = 1, 13, 17
"""Fields of a leap, by their lowest bits; bit 0 says whether the symbol is taken."""
_BLANK, _WORD = 1, 2
_STOPS = np.uint64(int.from_bytes(bytes([STOP] * 8), "little"))
"""Eight symbols that follow a final symbol."""
_CLASS = np.zeros(256, np.uint8)
_CLASS[[9, 11, 12, 13, 28, 29, 30, 31, 32]] = (
    _BLANK  # what str.strip and \\s take, but for the line break
)
_CLASS[[*range(48, 58), *range(65, 91), 95, *range(97, 123)]] = _WORD
_LONG = np.uint64(1 << 63)  # marks the hash of a name of more than eight bytes
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


def _chunk(text: str) -> np.uint64:
    """The first eight bytes of a text as `_eight` finds them; bytes past its end are 0."""
    return np.uint64(int.from_bytes(text.encode()[:8], "little"))


_KEY_START, _KEY_START_NAME, _KEY_END, _KEY_END_NAME = map(_chunk, ("START", "start", "END", "end"))
_KEY_NONE, _KEY_NEXT, _KEY_EMPTY = map(_chunk, ("NONE", "NEXT", "EMPTY"))
_ROUTE_ANY, _LETTER = _chunk("    [\0] "), np.uint64(0xFF << 40)
_ROUTE_NEXT, _ROUTE_EMPTY, _ROUTE_TY = map(_chunk, ("    NEXT", "    [EMP", "TY] "))
_PULLER_R, _PULLER_Y, _PAINTER_8 = map(_chunk, ("PULLER_R", "PULLER_Y", "PAINTER_"))
_RED_4, _BLUE_5, _GREEN_6, _YELLOW_7 = map(_chunk, ("RED ", "BLUE ", "GREEN ", "YELLOW "))
_START_ST, _END_END = map(_chunk, ("START st", "END end"))
_FIRST_4, _FIRST_5 = np.uint64(0xFFFFFFFF), np.uint64(0xFFFFFFFFFF)
_FIRST_6, _FIRST_7 = np.uint64(0xFFFFFFFFFFFF), np.uint64(0xFFFFFFFFFFFFFF)
_RED_WORD, _BLUE_WORD, _GREEN_WORD, _YELLOW_WORD = map(_chunk, ("RED", "BLUE", "GREEN", "YELLOW"))
_ONE, _ALL = np.uint64(1), np.uint64(0xFFFFFFFFFFFFFFFF)


def _eight_times(byte: int) -> np.uint64:
    """A number of eight equal bytes."""
    return np.uint64(byte * 0x0101010101010101)


_TOP, _FOLD = _eight_times(0x80), _eight_times(0x20)
_FROM_0, _PAST_9 = _eight_times(0x80 - ord("0")), _eight_times(0x7F - ord("9"))
_FROM_A, _PAST_Z = _eight_times(0x80 - ord("a")), _eight_times(0x7F - ord("z"))
_FROM_UNDERSCORE, _PAST_UNDERSCORE = _eight_times(0x80 - ord("_")), _eight_times(0x7F - ord("_"))


@intrinsic
def _at(typing, array, index):
    """`array[index]` for an index that is never negative: numba's own indexing asks every time."""

    def generate(context, builder, signature, arguments):
        values = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(values.data, [arguments[1]])
        return context.unpack_value(builder, signature.args[0].dtype, place)

    return array.dtype(array, types.intp), generate


@intrinsic
def _eight(typing, array, index):
    """Eight bytes from a position on as one number, the first byte lowest."""

    def generate(context, builder, signature, arguments):
        values = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(values.data, [arguments[1]])
        wide = ir.IntType(64)
        return builder.load(builder.bitcast(place, wide.as_pointer()), align=1, typ=wide)

    return types.uint64(array, types.intp), generate


@intrinsic
def _put(typing, array, index, value):
    """`array[index] = value` for an index that is never negative."""

    def generate(context, builder, signature, arguments):
        values = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(values.data, [arguments[1]])
        value = context.cast(builder, arguments[2], signature.args[2], signature.args[0].dtype)
        context.pack_value(builder, signature.args[0].dtype, value, place)
        return context.get_dummy_value()

    return types.void(array, types.intp, value), generate


@intrinsic
def _put_eight(typing, array, index, number):
    """Write a number as the eight bytes from a position on, the lowest first."""

    def generate(context, builder, signature, arguments):
        values = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(values.data, [arguments[1]])
        wide = ir.IntType(64)
        builder.store(arguments[2], builder.bitcast(place, wide.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.uint64), generate


@intrinsic
def _zeros_below(typing, number):
    """How many zero bits a number ends with, 64 for 0."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), generate


def _inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """A part of a compiled function, never called as such: an array is seven words, too many to pass at every call.

    Without numba's reference counts, which are atomic and took four fifths of the time of reading; nothing inside
    allocates.
    """
    return numba.njit(forceinline=True, _nrt=False)(function)


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiled at the first call, and kept on disk where numba finds a folder that it may write to."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba: no folder for its cache
        return numba.njit(nogil=True)(function)


@_inlined
def _skip_blanks(text, at, end):
    while at < end and _at(_CLASS, np.int64(_at(text, at))) == _BLANK:
        at += 1
    return at


@_inlined
def _skip_line(text, at, end):
    while at < end and _at(text, at) != _NEWLINE:
        at += 1
    return at


@_inlined
def _finish_line(text, at, end):
    """Past blanks and a comment to the line break or the end; -1 when something else is in the way."""
    at = _skip_blanks(text, at, end)
    if at >= end or _at(text, at) == _NEWLINE:
        return at
    return _skip_line(text, at, end) if _at(text, at) == _HASH else -1


@_inlined
def _word(text, at):
    """The end of the word that starts here, and its key: its first eight bytes, the lowest first.

    Eight bytes are looked at together: each of the three ranges is found by two additions that carry into a byte's
    top bit, which ASCII leaves free. A line break or the padding ends the word in any case.
    """
    chunk = _eight(text, at)
    folded = chunk | _FOLD
    marks = (
        ((chunk + _FROM_0) & ~(chunk + _PAST_9))
        | ((folded + _FROM_A) & ~(folded + _PAST_Z))
        | ((chunk + _FROM_UNDERSCORE) & ~(chunk + _PAST_UNDERSCORE))
    )
    length = np.int64(_zeros_below(~marks & _TOP)) >> 3
    if length < 8:
        return at + length, chunk & ((_ONE << np.uint64(8 * length)) - _ONE)
    at += 8
    while _at(_CLASS, np.int64(_at(text, at))) == _WORD:
        at += 1
    return at, chunk


@_inlined
def _kind(text, low, high, key):
    """The node kind that a word names, -1 for none."""
    length = high - low
    if length == 3:
        return _END if key == _KEY_END else -1
    if length == 5:
        return _START if key == _KEY_START else -1
    if length == 9:
        last = text[high - 1]
        if key == _PULLER_R and last == 66:
            return _RB
        return _YG if key == _PULLER_Y and last == 71 else -1
    if key != _PAINTER_8:
        return -1
    _, color = _word(text, low + 8)
    if length == 11 and color == _RED_WORD:
        return _RED
    if length == 12 and color == _BLUE_WORD:
        return _BLUE
    if length == 13 and color == _GREEN_WORD:
        return _GREEN
    return _YELLOW if length == 14 and color == _YELLOW_WORD else -1


@_inlined
def _intern(text, low, high, key, names, spans, slots, facts):
    """The number of a name, a new one at the end; -1 when the table is crowded."""
    if high - low > 8:
        key = np.uint64(high - low)
        for at in range(low, high):
            key = (key ^ np.uint64(text[at])) * _SPREAD
            key ^= key >> _HALF
        key |= _LONG
    mask = np.int64(slots.size - 1)
    slot = np.int64((key * _SPREAD) >> _HALF) & mask
    for _ in range(_MAX_PROBES):
        known = np.int64(_at(slots, slot))
        if known == 0:
            count = _at(facts, NUM_NAMES)
            _put(facts, NUM_NAMES, count + 1)
            _put(names, count, key)
            _put(spans, 2 * count, low)
            _put(spans, 2 * count + 1, high)
            _put(slots, slot, count + 1)
            return count
        if _at(names, known - 1) == key:
            same = True
            if key & _LONG:
                first = _at(spans, 2 * known - 2)
                same = _at(spans, 2 * known - 1) - first == high - low
                index = 0
                while same and index < high - low:
                    same = text[first + index] == text[low + index]
                    index += 1
            if same:
                return known - 1
        slot = (slot + 1) & mask
    return -1


@_inlined
def _clear(names, slots, facts):
    """Forget the names of the last program, slot by slot for a few, all at once for many."""
    mask = np.int64(slots.size - 1)
    count = _at(facts, NUM_NAMES)
    if count * 8 > slots.size:
        slots[:] = 0
    else:
        for index in range(count):
            slot = np.int64((_at(names, index) * _SPREAD) >> _HALF) & mask
            while _at(slots, slot) != index + 1:
                slot = (slot + 1) & mask
            _put(slots, slot, 0)
    _put(facts, NUM_NAMES, 0)


@_inlined
def _span_line(text, at, end, facts):
    """Note the stripped line that starts at a position."""
    facts[NAME_LOW] = at
    stop = _skip_line(text, at, end)
    while stop > at and _CLASS[text[stop - 1]] == _BLANK:
        stop -= 1
    facts[NAME_HIGH] = stop


@_inlined
def _common_route(text, at, is_puller):
    """A route as programs are commonly written: condition and start of the target; -1 for any other line."""
    chunk = _eight(text, at)
    if not is_puller:
        is_next = chunk == _ROUTE_NEXT and _at(text, at + 8) == _SPACE
        return (0 if is_next else -1), at + 9
    if chunk & ~_LETTER == _ROUTE_ANY:
        letter = _at(text, at + 5)
        condition = 0 if letter == 82 else -1
        condition = 1 if letter == 66 else condition
        condition = 2 if letter == 89 else condition
        condition = 3 if letter == 71 else condition
        return condition, at + 8
    if chunk == _ROUTE_EMPTY and _eight(text, at + 8) & _FIRST_4 == _ROUTE_TY:
        return 4, at + 12
    return -1, at


@_inlined
def _any_route(text, at, end, is_puller):
    """Condition and start of the target of any well-formed route that starts here; -1 for another line."""
    condition = 0
    if is_puller:
        if text[at] != _OPEN:
            return -1, 0
        stop, key = _word(text, at + 1)
        if stop - at == 2:
            first = text[at + 1]
            condition = 0 if first == 82 else 1 if first == 66 else 2 if first == 89 else 3
            if condition == 3 and first != 71:
                return -1, 0
        elif stop - at == 6 and key == _KEY_EMPTY:
            condition = 4
        else:
            return -1, 0
        if stop >= end or text[stop] != _CLOSE:
            return -1, 0
        stop += 1
    else:
        stop, key = _word(text, at)
        if stop - at != 4 or key != _KEY_NEXT:
            return -1, 0
    low = _skip_blanks(text, stop, end)
    return (-1 if low == stop else condition), low


@_inlined
def _common_kind(text, at):
    """The kind of a declaration as commonly written, and the start of its id; -1 for any other line."""
    chunk = _eight(text, at)
    if chunk == _PULLER_R and text[at + 8] == 66 and text[at + 9] == _SPACE:
        return _RB, at + 10
    if chunk == _PULLER_Y and text[at + 8] == 71 and text[at + 9] == _SPACE:
        return _YG, at + 10
    if chunk == _START_ST:
        return _START, at + 6
    if chunk & _FIRST_7 == _END_END:
        return _END, at + 4
    if chunk == _PAINTER_8:
        chunk = _eight(text, at + 8)
        if chunk & _FIRST_4 == _RED_4:
            return _RED, at + 12
        if chunk & _FIRST_5 == _BLUE_5:
            return _BLUE, at + 13
        if chunk & _FIRST_6 == _GREEN_6:
            return _GREEN, at + 14
        if chunk & _FIRST_7 == _YELLOW_7:
            return _YELLOW, at + 15
    return -1, at


@_inlined
def _check_node(facts, nodes, spans, node, num_routes, bad_condition):
    """Checks 10 and 11 of section 1.5 on a node whose routes are all read."""
    kind = _at(nodes, 3 * node)
    category = 0
    if kind == _RB or kind == _YG:
        if bad_condition >= 0:
            category = INVALID_CONDITION
            _put(facts, COUNT, bad_condition)
    elif kind != _END and num_routes != 1:
        category = EXACTLY_ONE_NEXT
        _put(facts, COUNT, num_routes)
    if category:
        name = _at(nodes, 3 * node + 1)
        facts[LINE], facts[KIND] = nodes[3 * node + 2], kind
        facts[NAME_LOW], facts[NAME_HIGH] = spans[2 * name], spans[2 * name + 1]
    return category


@_inlined
def _strip(text, at, end):
    """Steps 1 and 3 of section 1.3: start, end and first line's number without white space around and fences."""
    line = 1
    while at < end and (text[at] == _NEWLINE or _CLASS[text[at]] == _BLANK):
        line += text[at] == _NEWLINE
        at += 1
    while end > at and (text[end - 1] == _NEWLINE or _CLASS[text[end - 1]] == _BLANK):
        end -= 1
    if end - at >= 3 and text[at] == _TICK and text[at + 1] == _TICK and text[at + 2] == _TICK:
        stop = _skip_blanks(text, at + 3, end)
        if stop >= end:
            return end, end, line
        if text[stop] == _NEWLINE:
            at = stop + 1
            line += 1
    is_fence = end - at >= 3 and text[end - 1] == _TICK
    if is_fence and text[end - 2] == _TICK and text[end - 3] == _TICK:
        stop = end - 3
        while stop > at and _CLASS[text[stop - 1]] == _BLANK:
            stop -= 1
        if stop == at or text[stop - 1] == _NEWLINE:
            end = stop
    return at, end, line


@_inlined
def _read(text, at, end, facts, names, spans, owners, slots, nodes, routes):
    """Read one program.

    Args:
        text: bytes of many programs, ASCII, a line break after each; readable for `PADDING` bytes more.
        at: where this one starts.
        end: where it ends.
        facts: (NUM_FACTS,) number of names; what an error message needs.
        names: a key a name.
        spans: two positions a name.
        owners: two nodes a name: the one that declares it or -1, the one that first leads to it.
        slots: (2**n,) hash table of names.
        nodes: kind, name and line of each node.
        routes: five names a node, -1 for none.

    Returns:
        Category (0 for a program, `UNREAD`), the number of nodes, and whether any node paints.
    """
    _clear(names, slots, facts)
    at, end, line = _strip(text, at, end)
    node = kind = bad_condition = -1
    num_routes = 0
    has_start = has_end = paints = is_puller = False
    while at < end:
        num_names = _at(facts, NUM_NAMES)
        condition = -1
        if node >= 0:
            condition, low = _common_route(text, at, is_puller)
            if condition >= 0:
                high, key = _word(text, low)
                if high == low or high > end or kind == _END:
                    condition = -1
                elif high < end and _at(text, high) != _NEWLINE:
                    condition = -1
        if condition < 0:  # not the common case: every check, in its order
            is_route = text[at] == _TAB
            if text[at] == _SPACE and end - at >= 4:
                is_route = (
                    text[at + 1] == _SPACE and text[at + 2] == _SPACE and text[at + 3] == _SPACE
                )
            first = _skip_blanks(text, at, end)
            if first >= end or text[first] == _NEWLINE or text[first] == _HASH:
                at = _skip_line(text, first, end) + 1
                line += 1
                continue
            _put(facts, LINE, line)
            if is_route and node >= 0:
                if kind == _END:
                    return END_ROUTE, 0, False
                condition, low = _any_route(text, first, end, is_puller)
                high, key = _word(text, low)
                at = -1 if condition < 0 or high == low else _finish_line(text, high, end)
                if at < 0:
                    _span_line(text, first, end, facts)
                    return (INVALID_PULLER_ROUTE if is_puller else INVALID_NEXT_ROUTE), 0, False
        else:
            at = high
        if condition >= 0:
            name = _intern(text, low, high, key, names, spans, slots, facts)
            if name < 0:
                return UNREAD, 0, False
            if _at(facts, NUM_NAMES) > num_names:
                owners[2 * name], owners[2 * name + 1] = -1, node
            if not is_puller:
                for index in range(_ROUTES):
                    _put(routes, _ROUTES * node + index, name)
            else:
                if condition < 4 and (condition < 2) != (kind == _RB) and bad_condition < 0:
                    bad_condition = condition
                if _at(routes, _ROUTES * node + condition) < 0:
                    _put(routes, _ROUTES * node + condition, name)
            num_routes += 1
        else:
            if node >= 0:
                category = _check_node(facts, nodes, spans, node, num_routes, bad_condition)
                if category:
                    return category, 0, False
                _put(facts, LINE, line)
            kind, low = _common_kind(text, first)
            stop = first
            if kind < 0 or _at(_CLASS, np.int64(_at(text, low))) != _WORD:
                stop, key = _word(text, first)
                kind = _kind(text, first, stop, key)
                low = _skip_blanks(text, stop, end)
            high, key = _word(text, low)
            has_colon = high < end and _at(text, high) == _COLON
            at = -1
            if kind >= 0 and low > stop and high > low and high <= end:
                at = _finish_line(text, high + has_colon, end)
            if at < 0:
                _span_line(text, first, end, facts)
                return INVALID_DECLARATION, 0, False
            facts[KIND], facts[NAME_LOW], facts[NAME_HIGH] = kind, low, high
            if kind == _END and has_colon:
                return END_COLON, 0, False
            if kind != _END and not has_colon:
                return MISSING_COLON, 0, False
            name = _intern(text, low, high, key, names, spans, slots, facts)
            if name < 0:
                return UNREAD, 0, False
            if _at(facts, NUM_NAMES) > num_names:
                _put(owners, 2 * name + 1, -1)
            elif _at(owners, 2 * name) >= 0:
                return DUPLICATE_ID, 0, False
            if kind == _START:
                if key != _KEY_START_NAME or high - low != 5:
                    return START_NAME, 0, False
                has_start = True
            if kind == _END:
                if key != _KEY_END_NAME or high - low != 3:
                    return END_NAME, 0, False
                has_end = True
            node += 1
            _put(owners, 2 * name, node)
            nodes[3 * node], nodes[3 * node + 1], nodes[3 * node + 2] = kind, name, line
            for index in range(_ROUTES):
                _put(routes, _ROUTES * node + index, -1)
            is_puller = kind == _RB or kind == _YG
            paints |= kind >= _RED
            num_routes = 0
            bad_condition = -1
        at += 1
        line += 1
    if node < 0:
        return EMPTY_PROGRAM, 0, False
    category = _check_node(facts, nodes, spans, node, num_routes, bad_condition)
    if category:
        return category, 0, False
    if not has_start:
        return NO_START, 0, False
    if not has_end:
        return NO_END, 0, False
    for name in range(_at(facts, NUM_NAMES)):  # in the order in which the text first names them
        if (
            _at(owners, 2 * name) < 0
            and _at(names, name) != _KEY_NONE
            and _at(names, name) != _KEY_END
        ):
            origin = _at(owners, 2 * name + 1)
            source = _at(nodes, 3 * origin + 1)
            _put(facts, LINE, _at(nodes, 3 * origin + 2))
            facts[NAME_LOW], facts[NAME_HIGH] = spans[2 * name], spans[2 * name + 1]
            facts[OTHER_LOW], facts[OTHER_HIGH] = spans[2 * source], spans[2 * source + 1]
            return UNDEFINED_NODE, 0, False
    return 0, node + 1, paints


@_inlined
def _number(num_nodes, num_names, strict, names, owners, nodes, routes, states, steps):
    """Fill in the state of each name and the cells of `steps`, a move each; return the start state.

    `strict` reads the target `END` as the END node, unless a node of that name is declared.
    """
    for name in range(num_names):
        key, node = _at(names, name), _at(owners, 2 * name)
        if key == _KEY_NONE:  # also when a node is declared with that name: it never runs
            _put(states, name, NONE)
        elif key == _KEY_END_NAME:
            _put(states, name, ACCEPTED)
        elif node >= 0:
            _put(states, name, node + FIRST_NODE)
        else:  # END, the only other name that need not exist
            _put(states, name, ACCEPTED if strict else UNKNOWN)
    start = 0
    for node in range(num_nodes):
        kind = _at(nodes, 3 * node)
        at = 8 * (node + FIRST_NODE)
        if kind == _START:
            start = node + FIRST_NODE
        if kind == _END:
            continue
        if kind == _RB or kind == _YG:
            name = _at(routes, _ROUTES * node + 4)
            empty = (_at(states, name) if name >= 0 else NONE) << 7
            for symbol in range(4):
                cell = empty
                if (symbol < 2) == (kind == _RB):
                    name = _at(routes, _ROUTES * node + symbol)
                    cell = (_at(states, name) if name >= 0 else NONE) << 7 | 1
                _put(steps, at + symbol, cell)
            steps[at + STOP] = steps[at + FOREIGN] = empty
        else:
            painted = kind - _RED + 1 if kind >= _RED else 0
            cell = _at(states, _at(routes, _ROUTES * node)) << 7 | painted << 1
            for symbol in range(FOREIGN + 1):
                _put(steps, at + symbol, cell)
    return start


@_inlined
def _leap(steps, nodes, state, symbol, most):
    """Every move from a state until a puller finds another symbol in front, or the run ends, as one cell.

    Moves that lead round in circles lead to NONE: the limit would reject them much later. With the cell comes what it
    paints, a byte a symbol.
    """
    taken = visits = painted = 0
    word = _STOPS
    while state >= FIRST_NODE:
        kind = _at(nodes, 3 * (state - FIRST_NODE))
        if (kind == _RB or kind == _YG) and (taken or (symbol == STOP and painted)):
            break
        cell = _at(steps, 8 * state + symbol)
        visits += 1
        taken |= cell & 1
        if cell & 14:
            if painted < _MAX_PAINTED:
                word ^= np.uint64((((cell >> 1) & 7) - 1) ^ STOP) << np.uint64(8 * painted)
            painted += 1
        state = cell >> 7
        if visits > most:
            state = NONE
    if state == UNKNOWN or state == NONE:
        return visits << _VISITS, _STOPS
    if painted > _MAX_PAINTED:
        return _OVERFLOW << _ROW, _STOPS
    return (8 * state) << _ROW | painted << _PAINTED | visits << _VISITS | taken, word


@_inlined
def _leave(steps, nodes, state, most):
    """From START through START and painters to the first puller or the end of the run, as `_leap`."""
    visits = painted = 0
    word = _STOPS
    while state >= FIRST_NODE:
        kind = _at(nodes, 3 * (state - FIRST_NODE))
        if kind == _RB or kind == _YG:
            break
        cell = _at(steps, 8 * state)
        visits += 1
        if cell & 14:
            if painted < _MAX_PAINTED:
                word ^= np.uint64((((cell >> 1) & 7) - 1) ^ STOP) << np.uint64(8 * painted)
            painted += 1
        state = cell >> 7
        if visits > most:
            state = NONE
    if state == UNKNOWN or state == NONE:
        return visits << _VISITS, _STOPS
    if painted > _MAX_PAINTED:
        return _OVERFLOW << _ROW, _STOPS
    return (8 * state) << _ROW | painted << _PAINTED | visits << _VISITS, word


@_inlined
def _gather(num_nodes, nodes, steps, symbols, leaps, rows, words):
    """Fill in `leaps`, `rows` (their targets) and `words` for the symbols of a set; return the most visits."""
    longest = 1
    for symbol in range(FOREIGN + 1):
        if not (symbols >> symbol) & 1:
            continue
        _put(rows, 8 * NONE + symbol, 8 * NONE)
        _put(rows, 8 * ACCEPTED + symbol, 8 * ACCEPTED)
        for node in range(num_nodes):
            kind = _at(nodes, 3 * node)
            if kind == _RB or kind == _YG:
                at = 8 * (node + FIRST_NODE) + symbol
                cell, word = _leap(steps, nodes, node + FIRST_NODE, symbol, 2 * num_nodes + 2)
                _put(leaps, at, cell)
                _put(rows, at, cell >> _ROW)
                _put(words, at, word)
                longest = max(longest, (cell >> _VISITS) & 4095)
    return longest


@_inlined
def _run_reader(leaps, first, codes, at):
    """Run a program that never paints, leap by leap: whether it accepts, and where the front of the tape is then."""
    row = first >> _ROW
    visits = (first >> _VISITS) & 4095
    cell = np.int64(1)
    while row >= _END_ROWS:
        cell = _at(leaps, row + np.int64(_at(codes, at)))
        at += 1
        row = cell >> _ROW
        visits += (cell >> _VISITS) & 4095
        if visits >= MAX_VISITS:
            return False, at
    return row == 8 * ACCEPTED, at - 1 + (cell & 1)


@_inlined
def _run_painter(leaps, words, first, word, codes, at, length, tape):
    """Run any program leap by leap: the row where it ends, front and end of the final tape in `tape`."""
    for index in range(0, length, 8):
        _put_eight(tape, index, _eight(codes, at + index))
    row = first >> _ROW
    visits = (first >> _VISITS) & 4095
    _put_eight(tape, length, word)
    length += (first >> _PAINTED) & 15
    tape[length] = STOP
    front = 0
    cell, symbol = np.int64(1), np.int64(STOP)
    while row >= _END_ROWS:  # an overflow ends here, too
        symbol = np.int64(_at(tape, front))
        place = row + symbol
        cell = _at(leaps, place)
        front += symbol != STOP
        _put_eight(tape, length, _at(words, place))
        length += (cell >> _PAINTED) & 15
        _put(tape, length, STOP)
        row = cell >> _ROW
        visits += (cell >> _VISITS) & 4095
        if visits >= MAX_VISITS:
            return np.int64(8 * NONE), front, length
    if symbol != STOP and not cell & 1:
        front -= 1
    return row, front, length


@_inlined
def _walk(steps, start, codes, at, length, tape, path):
    """Run any program move by move.

    Args:
        steps: of the program.
        start: its first state.
        codes: tapes, one after the other.
        at: where this one starts.
        length: of this one.
        tape: room for it and `MAX_VISITS` symbols more; holds the final tape.
        path: (MAX_VISITS,) filled with the states visited, or empty.

    Returns:
        How it ended (`NONE`, `ACCEPTED`, `UNKNOWN`, `LIMIT`), front and end of the final tape, and the visits.
    """
    for index in range(length):
        tape[index] = codes[at + index]
    tape[length] = STOP
    state, front = start, 0
    for visit in range(MAX_VISITS):
        if path.size:
            path[visit] = state
        if state < FIRST_NODE:
            return state, front, length, visit + 1
        cell = np.int64(steps[8 * state + tape[front]])
        state = cell >> 7
        front += cell & 1
        painted = (cell >> 1) & 7
        if painted:
            tape[length] = painted - 1
            length += 1
            tape[length] = STOP
    return LIMIT, front, length, MAX_VISITS


@_inlined
def _same(one, at, end, other, start, stop):
    """Whether two stretches of symbols are equal, eight at a time; both are readable for `SLACK` more."""
    rest = end - at
    if rest != stop - start:
        return False
    while rest >= 8:
        if _eight(one, at) != _eight(other, start):
            return False
        at, start, rest = at + 8, start + 8, rest - 8
    if rest == 0:
        return True
    return (_eight(one, at) ^ _eight(other, start)) << np.uint64(64 - 8 * rest) == 0


@_compiled
def plant(codes, set_starts, tapes, parents, symbols, leaves, trees, growth):
    """Merge the tapes of each set into a tree, so that a beginning that they share is run once.

    Args:
        codes: symbols of all tapes, `STOP` after each, and `SLACK` more.
        set_starts: (sets + 1,) first test of each set.
        tapes: (tests + 1,) where each tape starts.
        parents: filled with the parent of each node of each tree, counted from the tree's root; room for `codes.size`.
        symbols: filled with the symbol that leads there.
        leaves: (tests,) filled with the node where each tape ends.
        trees: (sets + 1,) filled with where each tree starts.
        growth: (nodes of the largest tree, 6) room.
    """
    at = 0
    for number in range(set_starts.size - 1):
        trees[number] = at
        count = 1
        growth[0] = 0
        for test in range(set_starts[number], set_starts[number + 1]):
            node = 0
            for place in range(tapes[test], tapes[test + 1] - 1):
                symbol = codes[place]
                child = growth[node, symbol]
                if child == 0:
                    child = count
                    growth[node, symbol] = child
                    growth[child] = 0
                    parents[at + child], symbols[at + child] = node, symbol
                    count += 1
                node = child
            leaves[test] = node
        at += count
    trees[set_starts.size - 1] = at


@_compiled
def judge(
    text,
    offsets,
    sets,
    set_starts,
    used,
    codes,
    tapes,
    outputs,
    expected,
    marks,
    trees,
    parents,
    symbols,
    leaves,
    strict,
    facts,
    categories,
    outcomes,
    places,
    passed,
):
    """Read every program and run it on its tests.

    Args:
        text: see `_read`.
        offsets: (programs + 1,) where each starts; the line break after it belongs to it.
        sets: (programs,) number of its set of tests.
        set_starts: (sets + 1,) first test of each set.
        used: (sets,) bits: the symbols on tapes (`1 << STOP` always), and `1 << 7` where some test checks the output.
        codes: symbols of all tapes, `STOP` after each, and `SLACK` more.
        tapes: (tests + 1,) where each tape starts.
        outputs: symbols of all expected outputs, and `SLACK` more.
        expected: (tests + 1,) where each output starts.
        marks: (tests,) bits `CHECKS_OUTPUT`, `WANTS_ACCEPTED`, `NOT_PLAIN`.
        trees: as `plant` filled it.
        parents: as `plant` filled it.
        symbols: as `plant` filled it.
        leaves: as `plant` filled it.
        strict: read the target `END` as the END node, unless a node of that name is declared.
        facts: (programs, NUM_FACTS) filled.
        categories: (programs,) filled: 0 for a program, `UNREAD`.
        outcomes: filled with one byte a program and test; untouched for a text that is no program.
        places: (programs,) where each program's outcomes start.
        passed: (programs,) filled with how many tests each passes; untouched for a text that is no program.
    """
    longest = 0
    for program in range(sets.size):
        longest = max(longest, offsets[program + 1] - offsets[program])
    most_names, most_nodes, size = longest // 5 + 4, longest // 6 + 4, 64
    while size < 2 * most_names:
        size *= 2
    names, spans = np.empty(most_names, np.uint64), np.empty(2 * most_names, np.int64)
    owners, states = np.empty(2 * most_names, np.int64), np.empty(most_names, np.int64)
    slots = np.zeros(size, np.int32)
    nodes, routes = np.empty(3 * most_nodes, np.int64), np.empty(_ROUTES * most_nodes, np.int64)
    steps = np.zeros(8 * (most_nodes + FIRST_NODE), np.int64)
    leaps = np.zeros(8 * (_MAX_LEAPING + FIRST_NODE), np.int64)
    rows = np.zeros(8 * (_MAX_LEAPING + FIRST_NODE), np.int64)
    words = np.zeros(8 * (_MAX_LEAPING + FIRST_NODE), np.uint64)
    longest = 0
    deepest = np.zeros(set_starts.size, np.int64)
    for number in range(set_starts.size - 1):
        for test in range(set_starts[number], set_starts[number + 1]):
            deepest[number] = max(deepest[number], tapes[test + 1] - tapes[test] - 1)
        longest = max(longest, deepest[number])
    tape = np.empty(longest + MAX_VISITS + 2 * _MAX_PAINTED + SLACK, np.uint8)
    widest = 1
    for number in range(trees.size - 1):
        widest = max(widest, trees[number + 1] - trees[number])
    reached = np.empty(widest, np.int64)
    no_path = np.empty(0, np.int32)
    for program in range(sets.size):
        known = facts[program]
        if program:
            known[NUM_NAMES] = facts[program - 1, NUM_NAMES]
        category, num_nodes, paints = _read(
            text,
            offsets[program],
            offsets[program + 1] - 1,
            known,
            names,
            spans,
            owners,
            slots,
            nodes,
            routes,
        )
        categories[program] = category
        if category:
            continue
        start = _number(
            num_nodes, known[NUM_NAMES], strict, names, owners, nodes, routes, states, steps
        )
        number = sets[program]
        place = places[program] - set_starts[number]
        kinds = used[number]
        if paints:
            for node in range(num_nodes):
                if nodes[3 * node] >= _RED:
                    kinds |= 1 << (nodes[3 * node] - _RED)
        first, word = np.int64(_OVERFLOW << _ROW), _STOPS
        most = count = 0
        leaping = num_nodes <= _MAX_LEAPING
        if leaping:
            first, word = _leave(steps, nodes, start, num_nodes + 2)
            most = _gather(num_nodes, nodes, steps, kinds & 63, leaps, rows, words)
        if leaping and not paints and not kinds >> 7:
            visits = (first >> _VISITS) & 4095
            # Acceptance alone is asked for and no tape changes: one way over the tree gives every answer, as long as
            # the limit on visits is out of reach.
            if visits + most * (deepest[number] + 1) < MAX_VISITS:
                base, wide = trees[number], trees[number + 1] - trees[number]
                reached[0] = first >> _ROW
                for node in range(1, wide):
                    _put(
                        reached,
                        node,
                        _at(
                            rows,
                            _at(reached, np.int64(_at(parents, base + node)))
                            + np.int64(_at(symbols, base + node)),
                        ),
                    )
                for test in range(set_starts[number], set_starts[number + 1]):
                    row = _at(rows, _at(reached, np.int64(_at(leaves, test))) + STOP)
                    accepts = row == 8 * ACCEPTED
                    wanted = (_at(marks, test) & WANTS_ACCEPTED) != 0
                    _put(outcomes, place + test, ACCEPTS * accepts | PASSED * (accepts == wanted))
                    count += accepts == wanted
                passed[program] = count
                continue
        for test in range(set_starts[number], set_starts[number + 1]):
            mark = marks[test]
            low, high = tapes[test], tapes[test + 1] - 1
            changed = True
            row = np.int64(_OVERFLOW)
            if leaping and not paints:
                accepts, front = _run_reader(leaps, first, codes, low)
                row, back, changed = np.int64(8 * accepts), high, False
            elif leaping:
                row, front, back = _run_painter(
                    leaps, words, first, word, codes, low, high - low, tape
                )
            if row == _OVERFLOW:
                end, front, back, _ = _walk(steps, start, codes, low, high - low, tape, no_path)
                row = np.int64(8 * end)
            accepts = row == 8 * ACCEPTED
            outcome = ACCEPTS * accepts
            matches = accepts
            if accepts and mark & CHECKS_OUTPUT:
                if mark & NOT_PLAIN:
                    outcome |= OPEN
                elif changed:
                    matches = _same(tape, front, back, outputs, expected[test], expected[test + 1])
                else:
                    matches = _same(codes, front, back, outputs, expected[test], expected[test + 1])
            if matches == ((mark & WANTS_ACCEPTED) != 0):
                outcome |= PASSED
            count += outcome & PASSED
            outcomes[place + test] = outcome
        passed[program] = count


@_compiled
def trace(text, offsets, codes, tapes, strict, facts, most_visits):
    """Read one program and run it on its tapes move by move, with everything that the complete record shows.

    Args:
        text: see `_read`; one program.
        offsets: (2,) where it starts, and where the line break after it ends.
        codes: symbols of all tapes, `STOP` after each, and `SLACK` more.
        tapes: (tests + 1,) where each tape starts.
        strict: as in `judge`.
        facts: (NUM_FACTS,) filled.
        most_visits: with more in all, no path and no painted symbol is recorded.

    Returns:
        Category; (nodes, 2) where the name of each node is in the text; (tests, 4) how each run ended, its visits, the
        front of the tape and how many symbols it painted; the states of all paths; the symbols of all paintings.
    """
    longest = offsets[1] - offsets[0]
    most_names, most_nodes, size = longest // 5 + 4, longest // 6 + 4, 64
    while size < 2 * most_names:
        size *= 2
    names, spans = np.empty(most_names, np.uint64), np.empty(2 * most_names, np.int64)
    owners, states = np.empty(2 * most_names, np.int64), np.empty(most_names, np.int64)
    slots = np.zeros(size, np.int32)
    nodes, routes = np.empty(3 * most_nodes, np.int64), np.empty(_ROUTES * most_nodes, np.int64)
    steps = np.zeros(8 * (most_nodes + FIRST_NODE), np.int64)
    no_path = np.empty(0, np.int32)
    num_tests = tapes.size - 1
    runs = np.zeros((num_tests, 4), np.int64)
    category, num_nodes, _ = _read(
        text, offsets[0], offsets[1] - 1, facts, names, spans, owners, slots, nodes, routes
    )
    places = np.empty((num_nodes, 2), np.int64)
    if category:
        return category, places, runs, no_path, np.empty(0, np.uint8)
    start = _number(
        num_nodes, facts[NUM_NAMES], strict, names, owners, nodes, routes, states, steps
    )
    for node in range(num_nodes):
        name = nodes[3 * node + 1]
        places[node, 0], places[node, 1] = spans[2 * name], spans[2 * name + 1]
    longest = visited = painted = 0
    for test in range(num_tests):
        longest = max(longest, tapes[test + 1] - tapes[test])
    tape = np.empty(longest + MAX_VISITS + 2, np.uint8)
    for test in range(num_tests):
        low, length = tapes[test], tapes[test + 1] - tapes[test] - 1
        end, front, back, visits = _walk(steps, start, codes, low, length, tape, no_path)
        runs[test, 0], runs[test, 1] = end, visits
        runs[test, 2], runs[test, 3] = front, back - length
        visited += visits
        painted += back - length
    if visited > most_visits:
        return category, places, runs, no_path, np.empty(0, np.uint8)
    path, paintings = np.empty(visited, np.int32), np.empty(painted, np.uint8)
    visited = painted = 0
    for test in range(num_tests):
        low, length = tapes[test], tapes[test + 1] - tapes[test] - 1
        way = path[visited : visited + runs[test, 1]]
        _, _, back, visits = _walk(steps, start, codes, low, length, tape, way)
        paintings[painted : painted + back - length] = tape[length:back]
        visited += visits
        painted += back - length
    return category, places, runs, path, paintings
