"""Templates of programs for a scene: three that do not see walls as they are, and one that does.

The source of a function here, with a scene's numbers in the place of `SCENE`, becomes the text of a program: see
`programs.py`. `event` is the oracle: from impact to impact, polygon against polygon, with nothing but `math`. What
surprises: it moves by *conservative advancement* - never farther than the nearest body allows at the greatest possible
speed - because outlines that turn and are carried about leave no closed form for the next impact.
"""

from __future__ import annotations

import math

SCENE = None
"""Stands for containers, balls, gravity, its oscillation and the rotation profile; never read."""


def static(t):
    """Every ball stays where it begins."""
    balls = SCENE[1]
    return [[float(ball[0]), float(ball[1])] for ball in balls]


def free_flight(t):
    """Every ball flies through walls."""
    _, balls, (gx, gy), _, _ = SCENE
    return [
        [
            round(x + vx * t + 0.5 * gx * t * t, 2) + 0.0,
            round(y + vy * t + 0.5 * gy * t * t, 2) + 0.0,
        ]
        for x, y, vx, vy, *_ in balls
    ]


def disc(t):
    """Every ball is a disc in the first container as it stands at the beginning."""
    boxes, balls, (gx, gy), _, _ = SCENE
    cx, cy, radius, sides, angle = boxes[0][:5]
    step = 1.0 / 4000
    found = []
    for x, y, vx, vy, size, *_ in balls:
        room = radius * math.cos(math.pi / sides) - size
        for _ in range(round(t / step)):
            vx, vy = vx + gx * step, vy + gy * step
            x, y = x + vx * step, y + vy * step
            for i in range(sides):
                turn = angle + (i + 0.5) * 2 * math.pi / sides
                nx, ny = math.cos(turn), math.sin(turn)
                along = nx * vx + ny * vy
                if along > 0 and nx * (x - cx) + ny * (y - cy) > room:
                    vx, vy = vx - 2 * along * nx, vy - 2 * along * ny
        found.append([round(x, 2) + 0.0, round(y, 2) + 0.0])
    return found


def event(t):
    """From impact to impact, polygon against polygon."""
    boxes, balls, gravity, swing, profile = SCENE
    touch, slow, near = 0.02, 1.0, 2.0
    pull = math.hypot(*gravity) + (abs(swing[2]) if swing else 0.0)

    def pose(box, s):
        x, y, _, _, angle, spin, path = box
        vx = vy = 0.0
        if path and path[0] == "zigzag":
            _, amp, rate = path
            place = (s % 1.0) * rate
            place -= math.floor(place)
            x += amp * (1.0 - 2.0 * abs(place - 0.5))
            vx = 2.0 * amp * rate * (1.0 if place < 0.5 else -1.0)
        elif path:
            _, ax, ay, fx, fy, phase = path
            wx, wy = 2 * math.pi * fx, 2 * math.pi * fy
            x += ax * math.sin(wx * s)
            y += ay * math.sin(wy * s + phase)
            vx, vy = ax * wx * math.cos(wx * s), ay * wy * math.cos(wy * s + phase)
        if profile:
            base, amp = profile
            return (
                x,
                y,
                angle + base * s + amp * (1 - math.cos(s)),
                vx,
                vy,
                base + amp * math.sin(s),
            )
        return x, y, angle + spin * s, vx, vy, spin

    def fastest(box):
        path, speed = box[6], 0.0
        if path and path[0] == "zigzag":
            speed = 2.0 * abs(path[1]) * path[2]
        elif path:
            speed = 2 * math.pi * math.hypot(path[1] * path[3], path[2] * path[4])
        turning = abs(profile[0]) + abs(profile[1]) if profile else abs(box[5])
        return speed, turning

    # A state: x, y, vx, vy, radius, sides, angle, spin, inverse mass, inverse inertia.
    state = []
    for x, y, vx, vy, radius, sides, spin, density, rotates in balls:
        if sides > 2:
            area = 0.5 * sides * radius**2 * math.sin(2 * math.pi / sides)
            inertia = area * radius**2 * (1 + 2 * math.cos(math.pi / sides) ** 2) / 6
        else:
            area = math.pi * radius**2
            inertia = 0.5 * area * radius**2
        turns = 1.0 / (density * inertia) if rotates else 0.0
        spin = spin if rotates else 0.0
        state.append([x, y, vx, vy, radius, sides, 0.0, spin, 1.0 / (density * area), turns])
    bounds = [fastest(box) for box in boxes]

    def corners(ball):
        x, y, _, _, r, sides, angle = ball[:7]
        turn = 2 * math.pi / sides
        return [
            (x + r * math.cos(angle + i * turn), y + r * math.sin(angle + i * turn))
            for i in range(sides)
        ]

    def faces(ball):
        sides, angle = ball[5], ball[6]
        turn = 2 * math.pi / sides
        return [
            (math.cos(angle + (i + 0.5) * turn), math.sin(angle + (i + 0.5) * turn))
            for i in range(sides)
        ]

    def support(points, nx, ny):
        """The least reach along a direction, and the point that has it: the middle of two that share it."""
        reach = [nx * px + ny * py for px, py in points]
        least = min(reach)
        chosen = [p for p, r in zip(points, reach, strict=True) if r < least + 0.02]
        return (
            least,
            sum(p[0] for p in chosen) / len(chosen),
            sum(p[1] for p in chosen) / len(chosen),
        )

    def to_outline(ball, box, at):
        """Gap to the nearest side, and where it matters: the normal towards the ball and the point of contact."""
        cx, cy, angle = at[:3]
        radius, sides = box[2], box[3]
        turn = 2 * math.pi / sides
        inner, half = radius * math.cos(0.5 * turn), radius * math.sin(0.5 * turn)
        x, y, r = ball[0] - cx, ball[1] - cy, ball[4]
        best, points, normals = (1e9, None), None, None
        for i in range(sides):
            nx, ny = math.cos(angle + (i + 0.5) * turn), math.sin(angle + (i + 0.5) * turn)
            away = nx * x + ny * y - inner
            gap = max(abs(away), abs(ny * x - nx * y) - half) - r
            if gap >= best[0]:
                continue
            if gap > near:
                best = (gap, None)
                continue
            side = -1.0 if away < 0 else 1.0
            if ball[5] < 3:
                along = max(-half, min(half, nx * y - ny * x))
                px, py = nx * inner - ny * along, ny * inner + nx * along
                away = math.hypot(x - px, y - py)
                gap = away - r
                if gap < best[0]:
                    best = (gap, (x - px) / away, (y - py) / away, px + cx, py + cy)
                continue
            if points is None:
                points, normals = corners(ball), faces(ball)
            least, px, py = support(points, side * nx, side * ny)
            gap = least - side * (nx * cx + ny * cy + inner)
            found = (gap, side * nx, side * ny, px, py)
            ends = [
                (nx * inner + s * ny * half + cx, ny * inner - s * nx * half + cy) for s in (-1, 1)
            ]
            apothem = r * math.cos(math.pi / ball[5])
            for fx, fy in normals:
                least, px, py = support(ends, fx, fy)
                least -= fx * ball[0] + fy * ball[1] + apothem
                if least > gap + 0.001:
                    gap = least
                    found = (gap, -fx, -fy, px, py)
            if gap < best[0]:
                best = found
        return best

    def to_ball(one, two):
        """Gap between two balls; the normal points from the second to the first."""
        x, y = one[0] - two[0], one[1] - two[1]
        away = math.hypot(x, y)
        gap = away - one[4] - two[4]
        if gap > near:
            return (gap, None)
        best = None
        for a, b, sign in ((one, two, -1.0), (two, one, 1.0)):
            if a[5] < 3:
                continue
            apothem = a[4] * math.cos(math.pi / a[5])
            points = corners(b) if b[5] > 2 else None
            for fx, fy in faces(a):
                if points is None:
                    least = fx * b[0] + fy * b[1] - b[4]
                    px, py = b[0] - fx * b[4], b[1] - fy * b[4]
                else:
                    least, px, py = support(points, fx, fy)
                least -= fx * a[0] + fy * a[1] + apothem
                if best is None or least > best[0] + 0.001:
                    best = (least, sign * fx, sign * fy, px, py)
        if (one[5] < 3 or two[5] < 3) and (best is None or gap > best[0]):
            nx, ny = x / away, y / away
            best = (gap, nx, ny, two[0] + nx * two[4], two[1] + ny * two[4])
        return best

    def impact(one, other, wall, hit):
        """Change the velocities where the bodies approach each other; whether they did."""
        gap, nx, ny, px, py = hit
        rx, ry = px - one[0], py - one[1]
        vx, vy = one[2] - one[7] * ry, one[3] + one[7] * rx
        arm = rx * ny - ry * nx
        share = one[8] + arm * arm * one[9]
        if wall is not None:
            cx, cy, _, wx, wy, spin = wall
            vx, vy = vx - wx + spin * (py - cy), vy - wy - spin * (px - cx)
        else:
            qx, qy = px - other[0], py - other[1]
            vx, vy = vx - other[2] + other[7] * qy, vy - other[3] - other[7] * qx
            lever = qx * ny - qy * nx
            share += other[8] + lever * lever * other[9]
        closing = -(vx * nx + vy * ny)
        if gap < -0.05:
            one[0], one[1] = one[0] - gap * nx, one[1] - gap * ny
        if closing <= 0:
            return False
        push = closing * (2.0 if closing > slow else 1.0) / share
        one[2] += push * nx * one[8]
        one[3] += push * ny * one[8]
        one[7] += push * arm * one[9]
        if wall is None:
            other[2] -= push * nx * other[8]
            other[3] -= push * ny * other[8]
            other[7] -= push * lever * other[9]
        return True

    # What can meet: a ball and an outline, or a later ball and an earlier one; and until when it surely does not.
    pairs = []
    for index in range(len(state)):
        pairs += [(index, None, place) for place in range(len(boxes))]
        pairs += [(index, other, None) for other in range(index)]
    free_until = [0.0] * len(pairs)

    now = 0.0
    while now < t:
        step = min(t - now, 0.001) if swing else t - now
        hits, poses = [], {}
        for place, (index, other, wall) in enumerate(pairs):
            left = free_until[place] - now
            if left > 1e-9:
                step = min(step, left)
                continue
            one = state[index]
            limit = math.hypot(one[2], one[3]) + abs(one[7]) * one[4] + 1e-9
            if wall is not None:
                if wall not in poses:
                    poses[wall] = pose(boxes[wall], now)
                carried, turning = bounds[wall]
                limit += carried + turning * boxes[wall][2] * 1.5
                two, at = None, poses[wall]
                gap = to_outline(one, boxes[wall], at)
                room = time_for(gap[0], limit, pull)
            else:
                two, at = state[other], None
                limit += math.hypot(two[2], two[3]) + abs(two[7]) * two[4]
                gap = to_ball(one, two)
                room = time_for(gap[0], limit, 0.0)
            if gap[0] < touch and gap[1] is not None:
                hits.append((gap[0], index, other, (one, two, at, gap)))
            room = max(room, touch / limit)
            free_until[place] = now + room
            step = min(step, room)
        if hits:
            met = {index for hit in hits for index in hit[1:3]}
            for place, (index, other, _) in enumerate(pairs):
                if index in met or (other is not None and other in met):
                    free_until[place] = now
            if any([impact(*hit[3]) for hit in sorted(hits, key=lambda hit: hit[0])]):
                continue
        gx, gy = gravity
        if swing:
            gx, gy = (
                swing[0],
                swing[1] + swing[2] * math.sin(2 * math.pi * swing[3] * (now + step / 2)),
            )
        for ball in state:
            ball[0] += ball[2] * step + 0.5 * gx * step * step
            ball[1] += ball[3] * step + 0.5 * gy * step * step
            ball[2] += gx * step
            ball[3] += gy * step
            ball[6] += ball[7] * step
        now += step
    return [[round(ball[0], 2) + 0.0, round(ball[1], 2) + 0.0] for ball in state]


def time_for(gap, speed, pull):
    """Seconds in which no body can cross a gap."""
    if gap <= 0:
        return 0.0
    if pull <= 0:
        return gap / speed
    return (math.sqrt(speed * speed + 2 * pull * gap) - speed) / pull
