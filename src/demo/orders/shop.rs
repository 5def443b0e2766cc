//! The company behind the orders API: its seed data, and the rules by which it changes.
//!
//! Money is counted in cents and never through floating point. Nothing here knows HTTP.

mod seed;

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Number;

/// Why the shop does not do something.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("There is no {kind} {id}.")]
    NotFound { kind: &'static str, id: String },
    #[error("{why}")]
    WrongState { why: String },
    #[error("{why}")]
    CannotBeDone { why: String },
}

/// An amount of cents. On the wire a JSON number in major units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cents(i64);

impl Cents {
    /// Reads an amount as it stands on the wire: plain digits, at most two decimals that
    /// are not zero. `None` for what is no such amount or too large to be one.
    pub(super) fn read(number: &Number) -> Option<Self> {
        let text = number.to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > 2 || !(whole.to_owned() + fraction).bytes().all(|b| b.is_ascii_digit())
        {
            return None;
        }
        let whole: i64 = whole.parse().ok()?;
        let fraction: i64 = format!("{fraction:0<2}").parse().ok()?;
        whole.checked_mul(100)?.checked_add(fraction).map(Self)
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl Serialize for Cents {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number: Number = self.to_string().parse().map_err(serde::ser::Error::custom)?;
        number.serialize(serializer)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Currency {
    Eur,
    Gbp,
    Pln,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Money {
    amount: Cents,
    currency: Currency,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OrderStatus {
    Placed,
    Paid,
    Shipped,
    Delivered,
    Cancelled,
}

impl OrderStatus {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Paid => "paid",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Line {
    #[serde(rename = "line_no")]
    number: u32,
    sku: String,
    description: String,
    quantity: u32,
    unit_price: Money,
}

#[derive(Debug, Serialize)]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) status: OrderStatus,
    pub(super) customer_id: String,
    reference: Option<String>,
    placed_at: Timestamp,
    pub(super) lines: Vec<Line>,
    total: Money,
    refunded: Money,
    shipments: Vec<String>,
    cancellation: Option<Cancellation>,
    /// Where its stock is reserved.
    #[serde(skip)]
    warehouse: Warehouse,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Warehouse {
    Leeds,
    Rotterdam,
    Gdansk,
}

impl Warehouse {
    fn of(name: &str) -> Option<Self> {
        [Self::Leeds, Self::Rotterdam, Self::Gdansk]
            .into_iter()
            .find(|warehouse| warehouse.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Leeds => "leeds",
            Self::Rotterdam => "rotterdam",
            Self::Gdansk => "gdansk",
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CancelReason {
    CustomerRequest,
    OutOfStock,
    PaymentFailed,
    SuspectedFraud,
    EnteredTwice,
}

/// The body of a cancellation.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cancellation {
    reason: CancelReason,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RefundReason {
    Damaged,
    WrongItem,
    Late,
    NotDelivered,
    Goodwill,
    PriceError,
}

/// The body of a refund.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRefund {
    amount: Number,
    currency: Currency,
    reason: RefundReason,
    note: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Refund {
    pub(super) id: String,
    order_id: String,
    amount: Cents,
    currency: Currency,
    reason: RefundReason,
    note: Option<String>,
    status: &'static str,
    created_at: Timestamp,
}

#[derive(Debug, Serialize)]
pub(super) struct Customer {
    id: String,
    name: String,
    email: String,
    segment: &'static str,
    since: &'static str,
    price_list_id: &'static str,
    credit_limit: Money,
}

/// An article, with what the company has and has sold of it.
#[derive(Debug)]
struct Article {
    name: &'static str,
    price: Cents,
    reorder_point: u32,
    /// On hand and reserved, by warehouse.
    levels: BTreeMap<Warehouse, (u32, u32)>,
    /// Pieces sold in each of the last weeks, the oldest first.
    sold: [i64; 8],
}

#[derive(Debug, Serialize)]
pub(super) struct Level {
    warehouse: Warehouse,
    on_hand: u32,
    reserved: u32,
    available: u32,
}

#[derive(Debug, Serialize)]
pub(super) struct Stock {
    sku: String,
    available: u32,
    reorder_point: u32,
    levels: Vec<Level>,
}

#[derive(Debug, Serialize)]
pub(super) struct Week {
    week: u32,
    expected: i64,
}

#[derive(Debug, Serialize)]
pub(super) struct Forecast {
    sku: String,
    weeks: Vec<Week>,
    reorder_by_week: Option<u32>,
}

#[derive(Debug, Serialize)]
pub(super) struct ShipmentEvent {
    at: Timestamp,
    what: &'static str,
    place: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Shipment {
    id: String,
    order_id: String,
    carrier: &'static str,
    tracking_number: String,
    status: &'static str,
    events: Vec<ShipmentEvent>,
}

/// All that the company knows.
#[derive(Debug, Default)]
pub(super) struct Shop {
    orders: BTreeMap<String, Order>,
    refunds: BTreeMap<String, Refund>,
    customers: BTreeMap<String, Customer>,
    articles: BTreeMap<String, Article>,
    shipments: BTreeMap<String, Shipment>,
}

impl Shop {
    /// Every order, by id.
    pub(super) fn orders(&self) -> impl DoubleEndedIterator<Item = &Order> {
        self.orders.values()
    }

    pub(super) fn order(&self, id: &str) -> Result<&Order, Trouble> {
        find(&self.orders, "order", id)
    }

    pub(super) fn customer(&self, id: &str) -> Result<&Customer, Trouble> {
        find(&self.customers, "customer", id)
    }

    pub(super) fn shipment(&self, id: &str) -> Result<&Shipment, Trouble> {
        find(&self.shipments, "shipment", id)
    }

    pub(super) fn one_refund(&self, id: &str) -> Result<&Refund, Trouble> {
        find(&self.refunds, "refund", id)
    }

    pub(super) fn refunds_of(&self, order: &str) -> Result<Vec<&Refund>, Trouble> {
        let order = self.order(order)?;
        let all = self.refunds.values();
        Ok(all.filter(|refund| refund.order_id == order.id).collect())
    }

    /// Gives money back: never more than was paid.
    pub(super) fn refund(
        &mut self,
        id: &str,
        wanted: NewRefund,
        now: Timestamp,
    ) -> Result<&Refund, Trouble> {
        let refund_id = format!("ref_{}", 5001 + self.refunds.len());
        let order = self.orders.get_mut(id).ok_or_else(|| not_found("order", id))?;
        let amount = Cents::read(&wanted.amount)
            .filter(|amount| *amount > Cents(0))
            .ok_or_else(|| cannot("The amount is no positive number with at most two decimals."))?;
        if order.status == OrderStatus::Placed {
            return Err(cannot("Nothing has been paid for this order."));
        }
        if wanted.currency != order.total.currency {
            return Err(cannot("The order was paid in another currency."));
        }
        let left = Cents(order.total.amount.0 - order.refunded.amount.0);
        if amount > left {
            return Err(cannot(&format!("No more than {left} is left to refund.")));
        }
        order.refunded.amount.0 += amount.0;
        let refund = Refund {
            id: refund_id.clone(),
            order_id: order.id.clone(),
            amount,
            currency: wanted.currency,
            reason: wanted.reason,
            note: wanted.note,
            status: "done",
            created_at: now,
        };
        Ok(self.refunds.entry(refund_id).or_insert(refund))
    }

    /// Cancels an order and gives its reserved stock back.
    pub(super) fn cancel(&mut self, id: &str, why: Cancellation) -> Result<&Order, Trouble> {
        let order = self.orders.get_mut(id).ok_or_else(|| not_found("order", id))?;
        if !matches!(order.status, OrderStatus::Placed | OrderStatus::Paid) {
            let why = format!("The order is {} already.", order.status.name());
            return Err(Trouble::WrongState { why });
        }
        order.status = OrderStatus::Cancelled;
        order.cancellation = Some(why);
        for line in &order.lines {
            let level = self
                .articles
                .get_mut(&line.sku)
                .and_then(|article| article.levels.get_mut(&order.warehouse));
            if let Some((_, reserved)) = level {
                *reserved = reserved.saturating_sub(line.quantity);
            }
        }
        Ok(order)
    }

    pub(super) fn stock(&self, sku: &str, warehouse: Option<&str>) -> Result<Stock, Trouble> {
        let article = find(&self.articles, "article", sku)?;
        let only = match warehouse {
            None => None,
            Some(name) => Some(Warehouse::of(name).ok_or_else(|| not_found("warehouse", name))?),
        };
        let levels: Vec<_> = article
            .levels
            .iter()
            .filter(|(warehouse, _)| only.is_none_or(|only| only == **warehouse))
            .map(|(&warehouse, &(on_hand, reserved))| Level {
                warehouse,
                on_hand,
                reserved,
                available: on_hand.saturating_sub(reserved),
            })
            .collect();
        Ok(Stock {
            sku: sku.to_owned(),
            available: levels.iter().map(|level| level.available).sum(),
            reorder_point: article.reorder_point,
            levels,
        })
    }

    /// The straight line through the weeks sold (least squares), carried on.
    pub(super) fn forecast(&self, sku: &str, weeks: u32) -> Result<Forecast, Trouble> {
        let article = find(&self.articles, "article", sku)?;
        let n = i64::try_from(article.sold.len()).expect("the array is short");
        let (mut sum, mut weighted) = (0, 0);
        for (x, sold) in (0..).zip(article.sold) {
            sum += sold;
            weighted += x * sold;
        }
        // With x = 0..n: Σx = n(n-1)/2 and nΣx² - (Σx)² = n²(n²-1)/12.
        let sum_x = n * (n - 1) / 2;
        let slope = n * weighted - sum_x * sum;
        let scale = n * n * (n * n - 1) / 12;
        let mut left = i64::from(self.stock(sku, None)?.available);
        let mut reorder_by_week = None;
        let mut all = Vec::new();
        for week in 1..=weeks {
            let x = n - 1 + i64::from(week);
            // mean + slope × (x - mean of x), over the common denominator 2·n·scale.
            let value = 2 * sum * scale + slope * (2 * n * x - 2 * sum_x);
            let denominator = 2 * n * scale;
            let expected = ((value + denominator / 2).div_euclid(denominator)).max(0);
            left -= expected;
            if left < 0 && reorder_by_week.is_none() {
                reorder_by_week = Some(week);
            }
            all.push(Week { week, expected });
        }
        Ok(Forecast { sku: sku.to_owned(), weeks: all, reorder_by_week })
    }

    /// Every order as a spreadsheet. No value of ours needs quoting (RFC 4180 §2).
    pub(super) fn csv(&self) -> String {
        let mut csv = String::from("id,status,customer_id,placed_at,total,refunded,currency\r\n");
        for order in self.orders.values() {
            let (id, status, customer) = (&order.id, order.status.name(), &order.customer_id);
            let (total, refunded) = (order.total, order.refunded.amount);
            let currency = match total.currency {
                Currency::Eur => "EUR",
                Currency::Gbp => "GBP",
                Currency::Pln => "PLN",
            };
            let amount = total.amount;
            let placed = order.placed_at;
            write!(csv, "{id},{status},{customer},{placed},{amount},{refunded},{currency}\r\n")
                .expect("a string takes every write");
        }
        csv
    }
}

fn find<'a, T>(
    all: &'a BTreeMap<String, T>,
    kind: &'static str,
    id: &str,
) -> Result<&'a T, Trouble> {
    all.get(id).ok_or_else(|| not_found(kind, id))
}

fn not_found(kind: &'static str, id: &str) -> Trouble {
    let id = id.chars().take(64).collect();
    Trouble::NotFound { kind, id }
}

fn cannot(why: &str) -> Trouble {
    Trouble::CannotBeDone { why: why.to_owned() }
}
