"""Free flight as the engine steps it, in machine code by numba: the same single-precision operations in the same order.

While no ball is near anything, a step of the engine is a handful of additions, at a hundredth of the cost. `fly` does
those steps and stops before the first one that could bring two bodies within reach, which the engine then does. Its
distances are lower bounds: a ball is taken for its circle, a container for its sides' lines. Importing this imports
numba (half a second); only `flight.py` does. numba's cache on disk notices changes of this file only.
"""

from __future__ import annotations

import math

import numba
import numpy as np

CENTER_X, CENTER_Y, ANGLE, SPEED_X, SPEED_Y, SPIN = range(6)
"""Columns of a state: metres, radians, and their rates, in single precision as in the engine."""
(
    RADIUS,
    SIDES,
    ORIGIN_X,
    ORIGIN_Y,
    START,
    TURN,
    DRIVEN,
    KIND,
    AMP_X,
    AMP_Y,
    FREQ_X,
    FREQ_Y,
    PHASE,
) = range(13)
"""Columns of what is fixed of a container; `KIND` is one of the next four."""
STAYS, WAVES, ZIGZAG = 0.0, 1.0, 2.0
GRAVITY_X, GRAVITY_Y, SWINGS, BASE_X, BASE_Y, SWING, SWING_HZ, TURNS, TURN_BASE, TURN_SWING = range(
    10
)
"""Entries of the drive: gravity, its oscillation, the rotation profile."""
MARGIN_M = 2.0
"""Nothing touches below the engine's 0.02 m; the rest is for what the broad phase prepares."""
SLOW = 0.02
"""Metres a second. Below twice the engine's limit a body may fall asleep, which only the engine knows."""
MAX_SHIFT_M = 1.9
"""Of one step; the engine clamps at 2."""


@numba.njit(cache=True, nogil=True)
def is_free(balls, reach, boxes, fixed, step_s):
    """Whether one more step surely brings nothing into contact."""
    for i in range(balls.shape[0]):
        x, y = np.float64(balls[i, CENTER_X]), np.float64(balls[i, CENTER_Y])
        speed = math.hypot(np.float64(balls[i, SPEED_X]), np.float64(balls[i, SPEED_Y]))
        if speed < SLOW or speed * step_s > MAX_SHIFT_M:
            return False
        for k in range(boxes.shape[0]):
            sides = fixed[k, SIDES]
            own = math.hypot(np.float64(boxes[k, SPEED_X]), np.float64(boxes[k, SPEED_Y]))
            own += abs(np.float64(boxes[k, SPIN])) * fixed[k, RADIUS]
            dx, dy = x - np.float64(boxes[k, CENTER_X]), y - np.float64(boxes[k, CENTER_Y])
            # The side whose normal is nearest to the direction of the ball is the one that it is farthest along.
            turn = 2.0 * math.pi / sides
            bearing = math.atan2(dy, dx) - np.float64(boxes[k, ANGLE]) - 0.5 * turn
            off = bearing - turn * math.floor(bearing / turn + 0.5)
            along = math.hypot(dx, dy) * math.cos(off)
            gap = abs(along - fixed[k, RADIUS] * math.cos(0.5 * turn)) - reach[i]
            if gap < MARGIN_M + 2.0 * (speed + own) * step_s:
                return False
        for j in range(i):
            apart = math.hypot(
                x - np.float64(balls[j, CENTER_X]), y - np.float64(balls[j, CENTER_Y])
            )
            other = math.hypot(np.float64(balls[j, SPEED_X]), np.float64(balls[j, SPEED_Y]))
            if apart - reach[i] - reach[j] < MARGIN_M + 2.0 * (speed + other) * step_s:
                return False
    return True


@numba.njit(cache=True, nogil=True)
def fly(balls, reach, boxes, fixed, drive, time_s, step_s, until_s):
    """Advance the states while everything is free, or until the clock reaches a time; returns the clock.

    Args:
        balls: (ball, 6), changed in place.
        reach: (ball,), metres.
        boxes: (container, 6), changed in place.
        fixed: (container, 13).
        drive: (10,).
        time_s: the clock, a sum of steps.
        step_s: of one step.
        until_s: where to stop.
    """
    h = np.float32(step_s)
    gravity_x, gravity_y = np.float32(drive[GRAVITY_X]), np.float32(drive[GRAVITY_Y])
    while time_s < until_s:
        if not is_free(balls, reach, boxes, fixed, step_s):
            return time_s
        now = time_s + step_s
        for k in range(boxes.shape[0]):
            if fixed[k, DRIVEN] != 0.0 and not _steer(boxes, fixed, drive, k, now, step_s):
                return time_s
        time_s = now
        if drive[SWINGS] != 0.0:
            swing = math.sin(2 * math.pi * drive[SWING_HZ] * time_s)
            gravity_x = np.float32(drive[BASE_X])
            gravity_y = np.float32(drive[BASE_Y] + drive[SWING] * swing)
        for i in range(balls.shape[0]):
            balls[i, SPEED_X] += h * gravity_x
            balls[i, SPEED_Y] += h * gravity_y
            _move(balls, i, h)
        for k in range(boxes.shape[0]):
            _move(boxes, k, h)
    return time_s


@numba.njit(cache=True, nogil=True)
def _move(states, i, h):
    states[i, CENTER_X] += h * states[i, SPEED_X]
    states[i, CENTER_Y] += h * states[i, SPEED_Y]
    states[i, ANGLE] += h * states[i, SPIN]


@numba.njit(cache=True, nogil=True)
def _steer(boxes, fixed, drive, k, now, step_s):
    """Set the velocities that lead a container to where it is to be; False, and nothing set, where it must jump."""
    dx, dy = 0.0, 0.0
    if fixed[k, KIND] == WAVES:
        dx = fixed[k, AMP_X] * math.sin(2 * math.pi * fixed[k, FREQ_X] * now)
        dy = fixed[k, AMP_Y] * math.sin(2 * math.pi * fixed[k, FREQ_Y] * now + fixed[k, PHASE])
    elif fixed[k, KIND] == ZIGZAG:
        place = (now % 1.0) / (1.0 / fixed[k, FREQ_X])
        dx = fixed[k, AMP_X] * (1.0 - 2.0 * abs(place - math.floor(place) - 0.5))
    if drive[TURNS] != 0.0:
        angle = fixed[k, START] + drive[TURN_BASE] * now - drive[TURN_SWING] * math.cos(now)
        angle += drive[TURN_SWING]
    else:
        angle = fixed[k, START] + fixed[k, TURN] * now
    to_x = fixed[k, ORIGIN_X] + dx - np.float64(boxes[k, CENTER_X])
    to_y = fixed[k, ORIGIN_Y] + dy - np.float64(boxes[k, CENTER_Y])
    turn = angle - np.float64(boxes[k, ANGLE])
    if math.hypot(to_x, to_y) > MAX_SHIFT_M or abs(turn) > 1.0:
        return False
    boxes[k, SPEED_X] = np.float32(to_x / step_s)
    boxes[k, SPEED_Y] = np.float32(to_y / step_s)
    boxes[k, SPIN] = np.float32(turn / step_s)
    return True
