"""What the resource types of the embedded CloudFormation have in common.

moto finds a type by looking at the direct subclasses of ``CloudFormationModel``, of which the
youngest of a name wins. So a type here is a subclass of both ``Resource`` and
``CloudFormationModel``, and importing its module is enough to put it in place of moto's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Self, TypeAlias

from moto.cloudformation.exceptions import UnformattedGetAttTemplateException
from moto.utilities.utils import get_partition

Properties: TypeAlias = Mapping[str, Any]


class Place(NamedTuple):
    """Account and region that a resource belongs to."""

    account_id: str
    region: str

    @property
    def partition(self) -> str:
        """``aws``, or that of China or of a government's cloud."""
        return str(get_partition(self.region))


class Resource:
    """What all types have in common: replace or change, and what ``Ref`` and ``Fn::GetAtt`` give.

    A type says which properties cannot change in place (``REPLACED_BY``); when one of them does, a
    new resource is made first and the old one removed after, unless ``UpdateReplacePolicy`` retains
    it. A type implements ``_make``, ``_change`` and ``_remove``; the rest is what moto calls.
    """

    TYPE: ClassVar[str]
    NAME_PROPERTY: ClassVar[str] = ""
    ATTRIBUTES: ClassVar[tuple[str, ...]] = ()
    REPLACED_BY: ClassVar[tuple[str, ...]] = ()

    def __init__(self, physical_id: str, properties: Properties, **attributes: str) -> None:
        self.physical_resource_id = physical_id
        self.properties = dict(properties)
        self.attributes = attributes

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        raise NotImplementedError

    def _change(self, place: Place, properties: Properties) -> None:
        raise NotImplementedError

    def _remove(self, place: Place) -> None:
        raise NotImplementedError

    @classmethod
    def cloudformation_type(cls) -> str:
        """The name of the type, such as ``AWS::S3::Bucket``."""
        return cls.TYPE

    @classmethod
    def cloudformation_name_type(cls) -> str:
        """The property that names the resource, or an empty text."""
        return cls.NAME_PROPERTY

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Whether ``Fn::GetAtt`` knows the attribute."""
        return attr in cls.ATTRIBUTES

    def get_cfn_attribute(self, attribute_name: str) -> str:
        """What ``Fn::GetAtt`` gives."""
        if attribute_name not in self.attributes:
            raise UnformattedGetAttTemplateException()
        return self.attributes[attribute_name]

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: Mapping[str, Any],
        account_id: str,
        region_name: str,
        **_: Any,
    ) -> Self:
        """Make a resource of resolved properties."""
        properties = cloudformation_json["Properties"]
        name = properties.get(cls.NAME_PROPERTY, resource_name)
        return cls._make(Place(account_id, region_name), str(name), properties)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Self,
        new_resource_name: str,
        cloudformation_json: Mapping[str, Any],
        account_id: str,
        region_name: str,
    ) -> Self:
        """Change a resource in place, or give its successor."""
        place = Place(account_id, region_name)
        properties = cloudformation_json["Properties"]
        before = original_resource.properties
        if all(before.get(key) == properties.get(key) for key in cls.REPLACED_BY):
            original_resource._change(place, properties)
            original_resource.properties = dict(properties)
            return original_resource
        name = properties.get(cls.NAME_PROPERTY, new_resource_name)
        successor = cls._make(place, str(name), properties)
        if cloudformation_json.get("UpdateReplacePolicy") != "Retain":
            original_resource._remove(place)
        return successor

    def delete(self, account_id: str, region_name: str) -> None:
        """Remove the resource."""
        self._remove(Place(account_id, region_name))


def camel(value: Any, verbatim: tuple[str, ...] = ()) -> Any:
    """The same structure with keys as the service's own API spells them (``stopTimeout``).

    The maps named in ``verbatim`` have keys of the user's (log options, labels) and stay as they
    are.
    """
    if isinstance(value, list):
        return [camel(item, verbatim) for item in value]
    if isinstance(value, Mapping):
        return {
            key[0].lower() + key[1:]: item if key in verbatim else camel(item, verbatim)
            for key, item in value.items()
        }
    return value


def truth(value: Any) -> bool:
    """A boolean of a template: a parameter brings it as text."""
    return str(value).lower() == "true"
