"""The roles with which a pipeline compares and deploys, as a template of CloudFormation; pure.

A pipeline signs in with the token that its host issues (OpenID Connect), so no key of AWS lies
anywhere. One role may only compare: any pull or merge request gets it. The other deploys, and only
the branch that is named gets it. Their policies are those of ``permissions``.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from steadyspot.deploy.stacks.config import Config
from steadyspot.deploy.stacks.permissions import Purpose, policy_for
from steadyspot.deploy.trouble import USAGE, Trouble

AUDIENCE = "sts.amazonaws.com"
"""For whom the token is, as GitHub's own action asks for it and our file for GitLab does."""


class Host(NamedTuple):
    """Who issues the tokens, and what they say of who asks (the claim ``sub``).

    The forms are those of each host's own page about signing in to AWS.
    """

    issuer: str
    of_a_branch: str
    of_a_request: str


HOSTS = {
    "github": Host(
        "token.actions.githubusercontent.com",
        "repo:{repository}:ref:refs/heads/{branch}",
        "repo:{repository}:pull_request",
    ),
    # A merge request's pipeline is one of its source branch, whatever that is called.
    "gitlab": Host(
        "gitlab.com",
        "project_path:{repository}:ref_type:branch:ref:{branch}",
        "project_path:{repository}:ref_type:branch:ref:*",
    ),
}
_REPOSITORY = re.compile(r"[\w.-]+(/[\w.-]+)+", re.ASCII)
_BRANCH = re.compile(r"[\w.-]+(/[\w.-]+)*", re.ASCII)


def repository_of(text: str) -> str:
    """Return the name of a repository.

    Raises
    ------
    Trouble
        When it is none; a star in it would let in others.
    """
    return _matching(_REPOSITORY, text, "repository", "OWNER/NAME")


def branch_of(text: str) -> str:
    """Return the name of a branch.

    Raises
    ------
    Trouble
        When it is none; a star in it would let in others.
    """
    return _matching(_BRANCH, text, "branch", "main")


def _matching(form: re.Pattern[str], text: str, what: str, example: str) -> str:
    if not form.fullmatch(text):
        raise Trouble(
            f"{text!a} is no name of a {what}.", f"Give one in the form {example}.", USAGE
        )
    return text


def template(config: Config, host: Host, repository: str, branch: str) -> dict[str, Any]:
    """Return the template of the two roles for a repository."""
    names = {"repository": repository, "branch": branch}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"What the pipeline of {repository} may do with the platform "
        f"{config.platform.name}.",
        "Parameters": {
            "Provider": {
                "Type": "String",
                "Default": "",
                "Description": f"ARN of the account's identity provider for {host.issuer}; empty: "
                "it has none yet, and one is made.",
            }
        },
        "Conditions": {"MakesProvider": {"Fn::Equals": [{"Ref": "Provider"}, ""]}},
        "Resources": {
            "IdentityProvider": {
                "Type": "AWS::IAM::OIDCProvider",
                "Condition": "MakesProvider",
                # Other repositories may sign in through it by then.
                "DeletionPolicy": "Retain",
                "UpdateReplacePolicy": "Retain",
                "Properties": {"Url": f"https://{host.issuer}", "ClientIdList": [AUDIENCE]},
            },
            "Compare": _role(config, host, host.of_a_request.format(**names), Purpose.COMPARE),
            "Deploy": _role(config, host, host.of_a_branch.format(**names), Purpose.DEPLOY),
        },
        "Outputs": {
            name: {"Description": text, "Value": {"Fn::GetAtt": [name, "Arn"]}}
            for name, text in (
                ("Compare", "The role of pull and merge requests."),
                ("Deploy", f"The role of the branch {branch}."),
            )
        },
    }


def _role(config: Config, host: Host, subject: str, purpose: Purpose) -> dict[str, Any]:
    platform = config.platform
    provider = {"Fn::If": ["MakesProvider", {"Ref": "IdentityProvider"}, {"Ref": "Provider"}]}
    properties = {
        "Path": platform.role_path,
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "sts:AssumeRoleWithWebIdentity",
                    "Principal": {"Federated": provider},
                    "Condition": {
                        "StringEquals": {f"{host.issuer}:aud": AUDIENCE},
                        "StringLike": {f"{host.issuer}:sub": subject},
                    },
                }
            ],
        },
        "Policies": [
            {
                "PolicyName": purpose.value,
                "PolicyDocument": policy_for(purpose, platform, secrets=config.secrets_of_notify),
            }
        ],
    }
    if platform.permissions_boundary:
        properties["PermissionsBoundary"] = platform.permissions_boundary
    return {"Type": "AWS::IAM::Role", "Properties": properties}
