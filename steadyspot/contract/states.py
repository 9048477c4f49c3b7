"""The workflow's states as the console shows them, which the command line recognises in a history.

``JobState`` is the state machine of a job, ``BeforeTheStartState`` the small one that gives up
launches which never start, ``AtTheDeadlineState`` the one that speaks when a deadline passes,
``AfterOthersState`` the one that starts the run of a job which comes after others,
``AfterItsTimeState`` the one that looks for runs which were due, ``AfterTheEndState`` the one that
tidies up after executions which could not speak for themselves, ``ByMailState`` the one that sends
a mail. A test holds them equal to the definitions.
"""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """States of a job's workflow, in the order in which a run may meet them."""

    CLAIM = "Claim the run"
    WHO_HOLDS_IT = "Who holds it?"
    IS_IT_SETTLED = "Is it settled?"
    IS_IT_RUNNING = "Is it still running?"
    WAS_IT_ABANDONED = "Was it abandoned?"
    DOES_THE_OTHER_RUN = "Does the other still run?"
    WHAT_OF_THE_OTHER = "What of the other?"
    PASS_OVER = "Pass the other over"
    STOP_THE_OTHER = "Stop the other"
    QUEUE = "Join the queue"
    WAIT_FOR_TURN = "Wait for its turn"
    SKIP = "Skip the run"
    TELL_IT_IS_SKIPPED = "Tell people it is skipped"
    COUNT_IT_AS_SKIPPED = "Count it as skipped"
    SKIPPED = "Skipped"
    TAKE_OVER = "Take the run over"
    DUPLICATE = "Duplicate"
    LOOK_AT_WEATHER = "Look at the weather"
    CHOOSE_CAPACITY = "Choose capacity"
    RUN_SHARDS = "Run the shards"
    READ_SHARDS = "Read the shards"
    READ_THEIR_WORK = "Read what they made"
    ARE_ALL_READ = "Are all shards read?"
    LIST_THEIR_WORK = "List what they made"
    PUBLISH = "Publish the completion record"
    COMPLETE = "Complete the run"
    IS_THERE_TO_TELL = "Is there anything to tell?"
    RUN_ON_SPOT = "Run on Fargate Spot"
    RUN_ON_DEMAND = "Run on on-demand Fargate"
    NOTE_REFUSAL = "Note the refusal"
    WAIT_TO_ASK_AGAIN = "Wait to ask again"
    CLOSE = "Close the run"
    WHAT_IS_DONE = "What has it done?"
    TELL_IT_FINISHED = "Tell people it finished"
    GIVE_BACK = "Give the turn back"
    HOW_FAR = "How far did it get?"
    RECORD_ATTEMPT = "Record the attempt"
    LEARN_RUN_TIME = "Learn the run time"
    NOTE_WEATHER = "Note the weather"
    WHY_DID_IT_STOP = "Why did it stop?"
    LEARN_HOW_LONG = "Learn how long to wait"
    WAIT_FOR_CAPACITY = "Wait for capacity"
    TELL_IT_WAITS = "Tell people it waits"
    TELL_IT_HANGS = "Tell people it hangs"
    WAIT_A_MOMENT = "Wait a moment"
    HAND_OVER = "Hand the run over"
    DOES_ITS_RUN_WAIT = "Does its run wait for it?"
    GO_ON = "Go on in a new execution"
    GO_ON_AND_WAIT = "Go on, and wait for the end"
    GONE_ON = "Gone on"
    MARK_UNFINISHED = "Mark it unfinished"
    IS_IT_A_SHARD = "Is it a shard?"
    PARK = "Park the run"
    COUNT = "Count the run"
    READ_LOG = "Read its log"
    TELL = "Tell people"
    IS_IT_COMPLETE = "Is the run complete?"
    COUNT_OVER_SHARDS = "Count the run over shards"
    ADD_UP = "Add it to the totals"
    FINISHED = "Finished"
    FAILED = "Failed"


class ShardState(StrEnum):
    """States within *Run the shards*, which each shard enters in an execution of the Map's."""

    SPREAD = "Spread the starts"
    RUN_SHARD = "Run a shard"
    NOT_COMPLETE = "Shard not complete"


class BeforeTheStartState(StrEnum):
    """States of the machine that is started for every launch."""

    WAIT = "Wait for the start"
    HAS_IT_STARTED = "Has it started?"
    GIVE_UP = "Give the launch up"


class AtTheDeadlineState(StrEnum):
    """States of the machine that is started for every execution that begins with a deadline."""

    WAIT = "Wait for the deadline"
    IS_IT_OVER = "Is the run over?"
    REMEMBER = "Write down that it is late"
    TELL = "Tell people it is late"
    DONE = "Done"


class ByMailState(StrEnum):
    """States of the machine that is started for every mail that SES sends."""

    SEND = "Send the mail"
    KEEP = "Keep what was not sent"


class AfterOthersState(StrEnum):
    """States of the machine that is started for every run that a job comes after."""

    HAVE_ALL_FINISHED = "Have all finished?"
    IS_IT_DUE = "Is it due?"
    NOT_YET = "Not yet"
    START = "Start the run"
    PARK = "Park the start"
    DONE = "Done"


class AfterItsTimeState(StrEnum):
    """States of the machine that is started for every scheduled time of a job that wants it."""

    WAIT = "Wait for its run"
    HAS_IT_FINISHED = "Has it finished?"
    WHAT_OF_IT = "What became of it?"
    WAIT_ON = "Wait for its end"
    TELL = "Tell people it was missed"
    DONE = "Done"


class AfterTheEndState(StrEnum):
    """States of the machine that is started for executions which ended without parking."""

    IS_IT_ALL_THERE = "Is it all there?"
    NOT_AN_END = "Not an end"
    HOW_DID_IT_END = "How did it end?"
    DID_IT_SPEAK = "Did it speak for itself?"
    WHAT_DID_IT_RUN = "What did it run?"
    HOW_FARED_THE_TASK = "How fared its task?"
    MARK_UNFINISHED = "Mark it unfinished"
    CLOSE = "Close what is complete"
    WAS_IT_MET = "Did another call meet it?"
    WAIT = "Wait for the other call"
    IS_IT_A_SHARD = "Is it a shard?"
    PARK = "Park the run"
    COUNT = "Count the run"
    TELL = "Tell people"
    DONE = "Done"
