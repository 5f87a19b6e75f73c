"""Names of views and tasks."""

from __future__ import annotations

_PAGES = (
    "shop:product", "shop:category", "shop.views.search", "shop:basket", "shop:home", "shop.views.suggest",
    "shop:prices", "account:orders", "account:profile", "shop.views.compare", "shop:reviews", "shop:checkout",
    "account:login", "account.views.wishlist", "shop:delivery", "shop:stock", "shop.views.voucher", "shop:brands",
    "account:invoices", "shop:contact", "account.views.returns", "shop:newsletter", "shop:sitemap", "shop:terms",
    "account:password", "shop.views.feed", "shop:stores", "shop:jobs", "account:export", "shop.views.health",
)  # fmt: skip
_TASKS = (
    "shop.tasks.sync_prices", "shop.tasks.index_product", "mail.send", "shop.tasks.thumbnail", "stock.tasks.reserve",
    "shop.tasks.recommend", "mail.digest", "stock.tasks.count", "orders.tasks.invoice", "orders.tasks.capture",
    "shop.tasks.expire_baskets", "crm.push", "crm.pull", "orders.tasks.refund", "stock.tasks.reorder",
    "shop.tasks.warm_cache", "mail.bounces", "reports.sales", "reports.margin", "shop.tasks.feed_google",
    "shop.tasks.feed_idealo", "orders.tasks.track", "crm.segment", "stock.tasks.move", "shop.tasks.sitemap",
    "mail.newsletter", "reports.returns", "orders.tasks.archive", "shop.tasks.translate", "crm.forget",
)  # fmt: skip
_SCREENS = (
    "ward:patient", "ward:bed", "ward.views.search", "ward:visit", "ward.views.chart", "ward:home",
    "lab:result", "lab:upload", "lab.views.compare", "lab:sample", "lab.views.label", "billing:home",
    "billing:claim", "billing.views.export", "pharmacy:order", "pharmacy.views.stock", "pharmacy:recipe",
    "staff:rota", "staff.views.absence", "staff:login", "ward:transfer", "billing:refund", "lab:device",
    "staff.views.phone",
)  # fmt: skip
_CHORES = (
    "fleet.tasks.locate", "fleet.tasks.fuel", "fleet.repair", "trip.plan", "trip.tasks.match", "trip.close",
    "tariff.publish", "tariff.tasks.import_zone", "tariff.tasks.round", "driver.invite", "driver.tasks.check",
    "driver.tasks.pay", "driver.rate", "report.hourly", "report.daily", "report.tasks.zones", "report.tasks.heat",
    "mail.tasks.receipt", "mail.tasks.reminder", "mail.survey", "map.tasks.tiles", "map.roads",
    "trip.tasks.refund", "fleet.archive",
)  # fmt: skip
_DESKS = (
    "news:article", "news.views.live", "news:front", "news.views.search", "news:section", "news:author",
    "archive:issue", "archive.views.scan", "archive:page", "comments:thread", "comments.views.vote", "comments:post",
    "ads:slot", "ads.views.click", "reader:profile", "reader:saved", "reader.views.follow", "reader:login",
    "pay:offer", "pay.views.card", "pay:receipt", "pay:cancel", "desk:draft", "desk.views.upload",
    "desk:publish", "desk:picture", "news:weather", "news.views.quote", "reader:export", "desk:agenda",
)  # fmt: skip
_SHIFTS = (
    "meter.tasks.read", "meter.tasks.validate", "meter.estimate", "grid.tasks.balance", "grid.tasks.forecast",
    "grid.outage", "bill.tasks.draw", "bill.tasks.post", "bill.correct", "bill.tasks.dun", "market.bid",
    "market.tasks.settle", "market.prices", "client.tasks.move", "client.tasks.switch", "client.letter",
    "plant.tasks.poll", "plant.ramp", "plant.tasks.inspect", "crew.tasks.dispatch", "crew.roster", "audit.tasks.seal",
    "audit.tasks.export", "meter.tasks.replace", "grid.tasks.map", "bill.refund", "market.tasks.report",
    "client.tasks.forget", "plant.archive", "crew.tasks.notify",
)  # fmt: skip
_CAMPUS = (
    "course:list", "course:detail", "course.views.enrol", "course:timetable", "course.views.swap", "course:materials",
    "exam:register", "exam:result", "exam.views.appeal", "exam:room", "library:search", "library:loan",
    "library.views.renew", "library:fine", "library:shelf", "dorm:room", "dorm.views.apply", "dorm:repair",
    "dorm:contract", "canteen:menu", "canteen.views.top_up", "canteen:allergens", "thesis:topic",
    "thesis.views.submit", "thesis:review", "faculty:person", "faculty.views.hours", "faculty:news", "campus:map",
    "campus:login",
)  # fmt: skip
_DEPOTS = (
    "parcel.tasks.register", "parcel.track", "parcel.tasks.weigh", "parcel.label", "parcel.tasks.hold", "parcel.claim",
    "route.tasks.optimize", "route.assign", "route.tasks.close", "route.delay", "hub.tasks.sort", "hub.load",
    "hub.tasks.scan", "hub.capacity", "customs.tasks.declare", "customs.duty", "customs.tasks.release",
    "courier.tasks.locate", "courier.shift", "courier.tasks.pay", "address.tasks.geocode", "address.verify",
    "address.tasks.merge", "invoice.tasks.draft", "invoice.send", "invoice.tasks.remind", "stats.hourly",
    "stats.tasks.volume", "stats.tasks.export", "notice.sms",
)  # fmt: skip
_FLIGHTS = (
    "flight:search", "flight.views.prices", "flight:seats", "flight:status", "flight.views.calendar", "flight:route",
    "fleet:plane", "fleet.views.layout", "booking:new", "booking:passenger", "booking.views.baggage", "booking:pay",
    "booking:receipt", "booking.views.rebook", "booking:cancel", "boarding:begin", "boarding:seat", "boarding:bags",
    "boarding.views.pass", "miles:account", "miles.views.redeem", "miles:partners", "airport:departures",
    "airport.views.lounge", "airport:parking", "crew:roster", "crew.views.swap", "help:lost", "help.views.chat",
    "help:refund",
)  # fmt: skip
_FARM = (
    "herd.tasks.milk", "herd.calve", "herd.tasks.weigh", "herd.tasks.feed", "herd.water", "herd.vaccinate",
    "field.tasks.plough", "field.tasks.sow", "field.spray", "field.tasks.harvest", "field.rotate", "field.soil",
    "milk.tasks.collect", "milk.test", "milk.tasks.cool", "egg.tasks.sort", "egg.pack", "machine.tasks.locate",
    "machine.refuel", "machine.tasks.hours", "machine.repair", "weather.tasks.pull", "weather.warn",
    "market.tasks.quote", "market.sell", "market.tasks.deliver", "office.tasks.tax", "office.subsidy",
    "office.tasks.wages", "office.inspect",
)  # fmt: skip
_HALL = (
    "permit:apply", "permit.views.attach", "permit:status", "permit.views.neighbours", "permit:fee", "waste:calendar",
    "waste.views.bulky", "waste:bins", "tax:assessment", "tax.views.instalments", "tax:dog", "register:move",
    "register.views.certificate", "register:passport", "register:marriage", "park:spaces", "park.views.resident",
    "park:fine", "council:session", "council.views.minutes", "council:motion", "council.views.live", "pool:hours",
    "pool.views.ticket", "street:works", "street.views.report", "street:lamps", "nursery:places",
    "nursery.views.waiting", "hall:appointment",
)  # fmt: skip
_STUDIO = (
    "scene.tasks.ingest", "scene.cut", "scene.tasks.probe", "scene.proxy", "scene.tasks.grade", "audio.mix",
    "audio.tasks.denoise", "audio.dub", "audio.tasks.level", "caption.tasks.align", "caption.translate",
    "caption.tasks.burn", "effect.tasks.render", "effect.tasks.track", "effect.compose", "effect.tasks.simulate",
    "rights.check", "rights.tasks.expire", "rights.license", "cast.tasks.schedule", "cast.contract",
    "cast.tasks.payroll", "set.tasks.book", "set.inventory", "set.tasks.weather", "trailer.tasks.package",
    "trailer.publish", "vault.tasks.verify", "vault.restore", "vault.tasks.thaw",
)  # fmt: skip


def named(count: int, *, tasks: bool = False, begin: int = 0) -> tuple[str, ...]:
    """So many of the shop's, from that one on."""
    return _some(_TASKS if tasks else _PAGES, count, begin)


def screens(count: int, *, begin: int = 0) -> tuple[str, ...]:
    """So many views of a hospital."""
    return _some(_SCREENS, count, begin)


def chores(count: int, *, begin: int = 0) -> tuple[str, ...]:
    """So many tasks of a taxi company."""
    return _some(_CHORES, count, begin)


def desks(count: int, *, begin: int = 0) -> tuple[str, ...]:
    """So many views of a newspaper."""
    return _some(_DESKS, count, begin)


def shifts(count: int, *, begin: int = 0) -> tuple[str, ...]:
    """So many tasks of an electricity supplier."""
    return _some(_SHIFTS, count, begin)


def campus(count: int, *, begin: int = 0) -> tuple[str, ...]:
    """So many views of a university."""
    return _some(_CAMPUS, count, begin)


def depots(count: int, *, begin: int = 0) -> tuple[str, ...]:
    """So many tasks of a parcel service."""
    return _some(_DEPOTS, count, begin)


def flights(count: int, *, begin: int = 0) -> tuple[str, ...]:
    """So many views of an airline."""
    return _some(_FLIGHTS, count, begin)


def farm(count: int, *, begin: int = 0) -> tuple[str, ...]:
    """So many tasks of a farm."""
    return _some(_FARM, count, begin)


def hall(count: int, *, begin: int = 0) -> tuple[str, ...]:
    """So many views of a town hall."""
    return _some(_HALL, count, begin)


def studio(count: int, *, begin: int = 0) -> tuple[str, ...]:
    """So many tasks of a film studio."""
    return _some(_STUDIO, count, begin)


def _some(names: tuple[str, ...], count: int, begin: int) -> tuple[str, ...]:
    return tuple(names[(begin + number) % len(names)] for number in range(count))
