//! What the company starts with.

use super::{
    Article, Cents, Currency, Customer, Line, Money, Order, OrderStatus, Shipment, ShipmentEvent,
    Shop, Timestamp, Warehouse,
};

impl Shop {
    /// The company as it is when the upstream starts.
    pub(in super::super) fn seeded() -> Self {
        use OrderStatus::{Delivered, Paid, Placed, Shipped};
        use Warehouse::{Gdansk, Leeds, Rotterdam};

        let mut shop = Self::default();
        shop.article(
            "PAN-024",
            "Frying pan, 24 cm",
            3450,
            [(Leeds, 80, 0), (Rotterdam, 42, 0)],
            [9, 11, 10, 12, 14, 13, 15, 16],
        );
        shop.article(
            "KNI-110",
            "Chef's knife, 20 cm",
            8900,
            [(Leeds, 12, 0), (Gdansk, 30, 0)],
            [6, 5, 7, 6, 5, 6, 7, 6],
        );
        shop.article(
            "BWL-300",
            "Mixing bowl, 3 l",
            1275,
            [(Rotterdam, 200, 0), (Gdansk, 96, 0)],
            [40, 38, 35, 33, 30, 28, 25, 24],
        );

        shop.customer_of(
            "cus_2001",
            "Bistro Lindengarten",
            "kitchen@lindengarten.example",
            "restaurant",
        );
        shop.customer_of("cus_2002", "Harbour Hotel", "stores@harbour-hotel.example", "hotel");

        shop.order_of(
            "ord_1001",
            Delivered,
            "cus_2001",
            "2026-11-02T09:12:00Z",
            Leeds,
            &[("PAN-024", 6), ("KNI-110", 1)],
        );
        shop.order_of(
            "ord_1002",
            Paid,
            "cus_2001",
            "2026-11-16T14:40:00Z",
            Leeds,
            &[("KNI-110", 4)],
        );
        shop.order_of(
            "ord_1003",
            Placed,
            "cus_2002",
            "2026-11-19T08:03:00Z",
            Rotterdam,
            &[("BWL-300", 24)],
        );
        shop.order_of(
            "ord_1004",
            Shipped,
            "cus_2002",
            "2026-11-20T16:21:00Z",
            Rotterdam,
            &[("PAN-024", 10), ("BWL-300", 12)],
        );

        shop.shipment_of(
            "shp_3001",
            "ord_1001",
            "delivered",
            &[
                ("2026-11-03T15:30:00Z", "Handed to the carrier", "Leeds"),
                ("2026-11-05T10:05:00Z", "Delivered", "Kassel"),
            ],
        );
        shop.shipment_of(
            "shp_3002",
            "ord_1004",
            "in_transit",
            &[
                ("2026-11-21T16:10:00Z", "Handed to the carrier", "Rotterdam"),
                ("2026-11-22T04:45:00Z", "Sorted", "Antwerp"),
            ],
        );
        shop
    }

    fn article<const N: usize>(
        &mut self,
        sku: &str,
        name: &'static str,
        cents: i64,
        levels: [(Warehouse, u32, u32); N],
        sold: [i64; 8],
    ) {
        let levels = levels
            .into_iter()
            .map(|(warehouse, on_hand, reserved)| (warehouse, (on_hand, reserved)))
            .collect();
        let article = Article { name, price: Cents(cents), reorder_point: 40, levels, sold };
        self.articles.insert(sku.to_owned(), article);
    }

    fn customer_of(&mut self, id: &str, name: &str, email: &str, segment: &'static str) {
        let customer = Customer {
            id: id.to_owned(),
            name: name.to_owned(),
            email: email.to_owned(),
            segment,
            since: "2019-03-01",
            price_list_id: "prl_trade",
            credit_limit: euro(Cents(500_000)),
        };
        self.customers.insert(id.to_owned(), customer);
    }

    /// Reserves the stock of an order that has not left yet.
    fn order_of(
        &mut self,
        id: &str,
        status: OrderStatus,
        customer: &str,
        placed_at: &str,
        warehouse: Warehouse,
        wanted: &[(&str, u32)],
    ) {
        let mut total = 0;
        let mut lines = Vec::new();
        for (number, (sku, quantity)) in (1..).zip(wanted) {
            let article = self.articles.get_mut(*sku).expect("the article is seeded");
            total += article.price.0 * i64::from(*quantity);
            if matches!(status, OrderStatus::Placed | OrderStatus::Paid) {
                let level = article.levels.get_mut(&warehouse);
                level.expect("the warehouse keeps the article").1 += quantity;
            }
            lines.push(Line {
                number,
                sku: (*sku).to_owned(),
                description: article.name.to_owned(),
                quantity: *quantity,
                unit_price: euro(article.price),
            });
        }
        let order = Order {
            id: id.to_owned(),
            status,
            customer_id: customer.to_owned(),
            reference: None,
            placed_at: time(placed_at),
            lines,
            total: euro(Cents(total)),
            refunded: euro(Cents(0)),
            shipments: Vec::new(),
            cancellation: None,
            warehouse,
        };
        self.orders.insert(id.to_owned(), order);
    }

    fn shipment_of(
        &mut self,
        id: &str,
        order: &str,
        status: &'static str,
        events: &[(&str, &'static str, &'static str)],
    ) {
        let events = events
            .iter()
            .map(|&(at, what, place)| ShipmentEvent { at: time(at), what, place })
            .collect();
        let shipment = Shipment {
            id: id.to_owned(),
            order_id: order.to_owned(),
            carrier: "postal",
            tracking_number: format!("AV{}", id.trim_start_matches("shp_")),
            status,
            events,
        };
        self.shipments.insert(id.to_owned(), shipment);
        if let Some(order) = self.orders.get_mut(order) {
            order.shipments.push(id.to_owned());
        }
    }
}

fn euro(amount: Cents) -> Money {
    Money { amount, currency: Currency::Eur }
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("the seed's times are RFC 3339")
}
