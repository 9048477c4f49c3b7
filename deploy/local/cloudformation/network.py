"""Types of a network that moto makes but cannot remove or change.

VPC and subnet stay moto's own.
"""

from __future__ import annotations

from typing import Any, Self

from moto.core.common_models import CloudFormationModel
from moto.ec2.models import ec2_backends

from steadyspot.deploy.local.cloudformation.resource import Place, Properties, Resource


def _ec2(place: Place) -> Any:
    return ec2_backends[place.account_id][place.region]


def _tags(properties: Properties) -> list[dict[str, str]]:
    return [dict(tag) for tag in properties.get("Tags", [])]


class InternetGatewayResource(Resource, CloudFormationModel):
    """An internet gateway."""

    TYPE = "AWS::EC2::InternetGateway"
    ATTRIBUTES = ("InternetGatewayId",)

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        gateway = _ec2(place).create_internet_gateway(_tags(properties))
        return cls(gateway.id, properties, InternetGatewayId=gateway.id)

    def _change(self, place: Place, properties: Properties) -> None:
        """Only tags can change, and nothing here reads them."""

    def _remove(self, place: Place) -> None:
        _ec2(place).delete_internet_gateway(self.physical_resource_id)


class GatewayAttachmentResource(Resource, CloudFormationModel):
    """The attachment of an internet gateway to a VPC."""

    TYPE = "AWS::EC2::VPCGatewayAttachment"
    REPLACED_BY = ("VpcId", "InternetGatewayId")

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        _ec2(place).attach_internet_gateway(properties["InternetGatewayId"], properties["VpcId"])
        return cls(name, properties)

    def _remove(self, place: Place) -> None:
        _ec2(place).detach_internet_gateway(
            self.properties["InternetGatewayId"], self.properties["VpcId"]
        )


class RouteTableResource(Resource, CloudFormationModel):
    """A route table."""

    TYPE = "AWS::EC2::RouteTable"
    ATTRIBUTES = ("RouteTableId",)
    REPLACED_BY = ("VpcId",)

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        table = _ec2(place).create_route_table(vpc_id=properties["VpcId"], tags=_tags(properties))
        return cls(table.id, properties, RouteTableId=table.id)

    def _change(self, place: Place, properties: Properties) -> None:
        """Only tags can change, and nothing here reads them."""

    def _remove(self, place: Place) -> None:
        _ec2(place).delete_route_table(self.physical_resource_id)


class RouteResource(Resource, CloudFormationModel):
    """A route to a gateway."""

    TYPE = "AWS::EC2::Route"
    REPLACED_BY = ("RouteTableId", "DestinationCidrBlock", "GatewayId")

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        _ec2(place).create_route(
            route_table_id=properties["RouteTableId"],
            destination_cidr_block=properties["DestinationCidrBlock"],
            gateway_id=properties["GatewayId"],
        )
        return cls(name, properties)

    def _remove(self, place: Place) -> None:
        _ec2(place).delete_route(
            self.properties["RouteTableId"], self.properties["DestinationCidrBlock"]
        )


class RouteTableAssociationResource(Resource, CloudFormationModel):
    """The use of a route table by a subnet."""

    TYPE = "AWS::EC2::SubnetRouteTableAssociation"
    ATTRIBUTES = ("Id",)
    REPLACED_BY = ("RouteTableId", "SubnetId")

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        association = _ec2(place).associate_route_table(
            route_table_id=properties["RouteTableId"], subnet_id=properties["SubnetId"]
        )
        return cls(association, properties, Id=association)

    def _remove(self, place: Place) -> None:
        _ec2(place).disassociate_route_table(self.physical_resource_id)


class EndpointResource(Resource, CloudFormationModel):
    """A gateway endpoint. moto keeps a deleted one in its list, so it is taken out."""

    TYPE = "AWS::EC2::VPCEndpoint"
    ATTRIBUTES = ("Id",)
    REPLACED_BY = ("VpcId", "ServiceName", "VpcEndpointType", "RouteTableIds")

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        endpoint = _ec2(place).create_vpc_endpoint(
            vpc_id=properties["VpcId"],
            service_name=properties["ServiceName"],
            endpoint_type=properties.get("VpcEndpointType", "Gateway"),
            policy_document=properties.get("PolicyDocument"),
            route_table_ids=list(properties.get("RouteTableIds", [])),
        )
        return cls(endpoint.id, properties, Id=endpoint.id)

    def _change(self, place: Place, properties: Properties) -> None:
        endpoint = _ec2(place).vpc_end_points[self.physical_resource_id]
        endpoint.policy_document = properties.get("PolicyDocument")

    def _remove(self, place: Place) -> None:
        backend = _ec2(place)
        backend.delete_vpc_endpoints([self.physical_resource_id])
        backend.vpc_end_points.pop(self.physical_resource_id, None)


class SecurityGroupResource(Resource, CloudFormationModel):
    """A security group, which lets out what its rules say; moto's lets everything out."""

    TYPE = "AWS::EC2::SecurityGroup"
    ATTRIBUTES = ("GroupId", "VpcId")
    REPLACED_BY = ("GroupDescription", "VpcId")

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        made = _ec2(place).create_security_group(
            name,
            properties["GroupDescription"],
            vpc_id=properties["VpcId"],
            tags={tag["Key"]: tag["Value"] for tag in _tags(properties)},
        )
        group = cls(made.id, properties, GroupId=made.id, VpcId=properties["VpcId"])
        group._change(place, properties)
        return group

    def _change(self, place: Place, properties: Properties) -> None:
        backend = _ec2(place)
        group = backend.get_security_group_by_name_or_id(self.physical_resource_id)
        group.egress_rules.clear()
        for rule in properties["SecurityGroupEgress"]:
            backend.authorize_security_group_egress(
                group.id,
                rule["IpProtocol"],
                str(rule.get("FromPort", -1)),
                str(rule.get("ToPort", -1)),
                [{"CidrIp": rule["CidrIp"]}] if "CidrIp" in rule else [],
                source_groups=[
                    {"GroupId": rule[key]} for key in ("DestinationSecurityGroupId",) if key in rule
                ],
                prefix_list_ids=[
                    {"PrefixListId": rule[key]}
                    for key in ("DestinationPrefixListId",)
                    if key in rule
                ],
            )

    def _remove(self, place: Place) -> None:
        _ec2(place).delete_security_group(group_id=self.physical_resource_id)
