"""The small state machine that sends one mail by SES, in text and in HTML.

One for all jobs of a platform, where an entry of ``[[notify]]`` names a sender. SNS sends text
alone, and no rule of EventBridge calls SES, but each calls a state machine. It is started with the
address, the sender and what is told: a notification, or an alarm as CloudWatch tells it. What SES
does not take lies in the queue of all that could not be told, which rings. No workflow waits for
it, and who never names a sender has no such machine.
"""

from __future__ import annotations

from steadyspot.contract.states import ByMailState
from steadyspot.statemachines.calls import short_call
from steadyspot.statemachines.composing import expression, variable
from steadyspot.statemachines.states import Catch, Machine


def build() -> Machine:
    """Return the definition, the queue of what could not be told still to be filled in."""
    send = short_call(
        ByMailState.SEND,
        "aws-sdk:sesv2:sendEmail",
        arguments={
            "FromEmailAddress": variable("$states.input.from"),
            "Destination": {"ToAddresses": [variable("$states.input.to")]},
            "Content": expression("letter"),
        },
        output={},
    )
    keep = short_call(
        ByMailState.KEEP,
        "sqs:sendMessage",
        comment="As EventBridge does with what no service takes.",
        arguments={
            "QueueUrl": "${Untold}",
            "MessageBody": {
                "to": variable("$states.input.to"),
                "detail": variable("$states.input.told"),
            },
            "MessageAttributes": {
                "ERROR_MESSAGE": {
                    "DataType": "String",
                    "StringValue": expression("notSentBecause"),
                },
            },
        },
        output={},
    )
    send.add_catch(
        Catch(
            keep,
            error_equals=["States.ALL"],
            assign={"failure": variable("$states.errorOutput")},
            output=variable("$states.input"),
        )
    )
    return Machine(send, comment="Sends one mail.")
