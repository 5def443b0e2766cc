"""A depot as spyne serves it: python spyne_depot.py PORT 1.1|1.2

Its validator is lxml: a request that breaks the schema is a fault, Client.SchemaValidationError.
"""

import logging
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

from spyne import (
    AnyXml,
    Application,
    Array,
    Boolean,
    ByteArray,
    ComplexModel,
    Date,
    DateTime,
    Decimal,
    Double,
    Duration,
    Enum,
    Fault,
    Integer,
    Integer32,
    Iterable,
    Service,
    Time,
    Unicode,
    XmlAttribute,
    XmlData,
    rpc,
)
from spyne.protocol.soap import Soap11, Soap12
from spyne.server.wsgi import WsgiApplication

NS = "urn:depot"
Unit = Enum("piece", "kg", "litre", type_name="Unit")


class Model(ComplexModel):
    __namespace__ = NS


class Size(Model):
    width = Decimal(min_occurs=1)
    height = Decimal(min_occurs=0, nillable=True)
    # spyne takes an attribute for the member of that name in the type around it, so it has its own.
    measure = XmlAttribute(Unicode(max_len=4), use="required")


class Money(Model):
    amount = XmlData(Decimal)
    currency = XmlAttribute(Unicode(pattern="[A-Z]{3}"), use="required")


class Item(Model):
    id = Unicode(pattern="[A-Z]-[0-9]+", min_occurs=1, nillable=False)
    name = Unicode(min_len=1, max_len=40, min_occurs=1, nillable=False)
    unit = Unit.customize(min_occurs=1, nillable=False)
    price = Money.customize(min_occurs=0)
    stock = Integer(ge=0, min_occurs=1, nillable=False)
    weight = Double(min_occurs=0)
    active = Boolean(min_occurs=1, nillable=True)
    since = Date(min_occurs=0)
    changed = DateTime(min_occurs=0, timezone=False)
    opens = Time(min_occurs=0)
    shelf_life = Duration(min_occurs=0)
    photo = ByteArray(min_occurs=0)
    size = Size.customize(min_occurs=0)
    tags = Array(Unicode, min_occurs=0)
    aliases = Unicode(min_occurs=0, max_occurs="unbounded")


class Perishable(Item):
    best_before = Date(min_occurs=1, nillable=False)


class Machine(Item):
    watts = Integer32(min_occurs=1, nillable=False)
    parts = Array(Item, min_occurs=0)


class Missing(Fault):
    __namespace__ = NS
    _type_info = {"asked": Unicode, "closest": Unicode(max_occurs="unbounded")}

    def __init__(self, asked):
        super().__init__(faultcode="Client.Missing", faultstring=f"no item {asked} & no more")
        self.asked, self.closest = asked, ["A-1", "B-2"]


class Broken(Fault):
    def __init__(self, why):
        super().__init__(
            faultcode="Server", faultstring="it is broken", detail={"why": why, "where": {"line": "7"}}
        )


class Session(Model):
    token = Unicode(min_occurs=1, nillable=False)


class Depot(Service):
    @rpc(Item.customize(max_occurs="unbounded", min_occurs=1), Unicode(min_occurs=0), _returns=Iterable(Item))
    def Store(ctx, item, note):
        return item

    @rpc(Unicode(min_occurs=1, nillable=False), _returns=Item, _throws=Missing)
    def Find(ctx, id):
        raise Missing(id)

    @rpc(Unicode)
    def Break(ctx, why):
        raise Broken(why)

    @rpc(_returns=Unicode)
    def Nothing(ctx):
        return None

    @rpc(Size, _returns=Size)
    def Measure(ctx, size):
        return size

    @rpc(Integer, Integer, _returns=(Integer, Integer), _out_variable_names=("quotient", "rest"))
    def Divide(ctx, a, b):
        return divmod(a, b)

    @rpc(AnyXml, _returns=AnyXml)
    def Foreign(ctx, xml):
        return xml


class Guarded(Service):
    __in_header__ = Session

    @rpc(_returns=Unicode)
    def Whoami(ctx):
        return "nobody" if ctx.in_header is None else ctx.in_header.token


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def main():
    logging.disable(logging.ERROR)
    port, version = int(sys.argv[1]), sys.argv[2]
    protocol = Soap12 if version == "1.2" else Soap11
    application = Application(
        [Depot, Guarded],
        tns=NS,
        name="Depot",
        in_protocol=protocol(validator="lxml"),
        out_protocol=protocol(polymorphic=True),
        classes=[Perishable, Machine],
    )
    make_server("127.0.0.1", port, WsgiApplication(application), handler_class=Quiet).serve_forever()


main()
