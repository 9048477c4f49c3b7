"""The local target: an embedded AWS in one process; ``aws`` puts it together.

Comes in: calls of boto3 and of the AWS CLI on a port of 127.0.0.1, let in by ``guard`` if they bear
the server's token. Goes out: AWS's answers, real process trees in place of containers, mails in an
outbox. moto gives the services; the files here give what moto lacks (Fargate, the workflow's
interpreter, schedules, alarms, CloudFormation). Its biggest drawback: it does not enforce IAM,
except for what the Scheduler may start.
"""
