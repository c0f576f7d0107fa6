"""A crowd that is sent away comes back spread over the time that its turns take."""

from core.waiting_room import Pace


def learnt(rate, *, seconds=1.1):
    """A pace that has seen so many turns a second in a crowd."""
    pace = Pace()
    for turn in range(int(rate * seconds) + 2):
        pace.note_turn(now=turn / rate, is_crowded=True)
    return pace


def test_each_is_promised_a_later_turn_at_the_pace_of_the_turns():
    pace = learnt(200)

    promised = [pace.send_away(now=10, waiting=1000) for _ in range(401)]

    assert round(promised[0], 2) == 5.0
    assert round(promised[400], 2) == 7.0
    assert promised == sorted(promised)


def test_promises_that_are_past_count_no_more():
    pace = learnt(100)
    for _ in range(500):
        pace.send_away(now=10, waiting=1000)

    assert round(pace.send_away(now=40, waiting=1000), 2) == 10.0


def test_nobody_is_sent_away_for_longer_than_a_minute():
    pace = learnt(10)

    assert max(pace.send_away(now=10, waiting=1000) for _ in range(100)) == 60


def test_turns_of_quiet_times_do_not_say_how_fast_a_crowd_gets_in():
    pace = learnt(200)
    for second in range(100, 200):
        pace.note_turn(now=second, is_crowded=False)

    assert round(pace.send_away(now=300, waiting=1000), 2) == 5.0
