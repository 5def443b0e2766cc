//! What lies in the warehouse: its seed data, and the rules by which it changes. Nothing here
//! knows SOAP.

use std::collections::{BTreeMap, HashSet};

/// The sites.
pub(super) const SITES: [&str; 3] = ["LDS", "RTM", "GDN"];

/// What an article has at one site.
#[derive(Debug, Clone)]
pub(super) struct Stock {
    pub(super) site: &'static str,
    pub(super) on_hand: u32,
    pub(super) reserved: u32,
    /// As the table has it: a date, nothing, or what somebody typed there.
    pub(super) next_delivery: &'static str,
}

/// Goods that came or went.
#[derive(Debug, Clone)]
pub(super) struct Movement {
    pub(super) no: i64,
    pub(super) site: &'static str,
    pub(super) quantity: u32,
    pub(super) at: &'static str,
    pub(super) cause: Cause,
}

/// Why goods moved.
#[derive(Debug, Clone)]
pub(super) enum Cause {
    /// From a supplier.
    Receipt(&'static str),
    /// For an order.
    Issue(&'static str),
}

/// What a picker takes from which bin.
#[derive(Debug, Clone)]
pub(super) struct PickLine {
    pub(super) article: &'static str,
    pub(super) bin: &'static str,
    pub(super) pieces: u32,
}

/// What is to be picked for an order.
#[derive(Debug, Clone)]
pub(super) struct PickList {
    pub(super) no: i32,
    pub(super) order: &'static str,
    pub(super) picker: Option<&'static str>,
    pub(super) lines: Vec<PickLine>,
}

/// Pieces of an article that are wanted from a site.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) article: String,
    pub(super) site: String,
    pub(super) quantity: u32,
}

/// Why the warehouse does not do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    NoArticle(String),
    NoReservation,
    NoPickList,
    NoBin(String),
    TooFew,
    /// The table is locked by somebody; it will not be for long.
    Locked,
}

/// All that is there.
#[derive(Debug, Default)]
pub(super) struct Stores {
    articles: BTreeMap<&'static str, Vec<Stock>>,
    movements: BTreeMap<&'static str, Vec<Movement>>,
    pick_lists: BTreeMap<i32, PickList>,
    bins: BTreeMap<(String, String), u32>,
    reservations: BTreeMap<i64, Vec<Wanted>>,
    looked_at: HashSet<String>,
}

impl Stores {
    /// The warehouse as it is when the service starts.
    pub(super) fn seeded() -> Self {
        let stock = |site, on_hand, reserved, next_delivery| Stock {
            site,
            on_hand,
            reserved,
            next_delivery,
        };
        let mut stores = Self::default();
        stores.articles.insert(
            "PAN-024",
            vec![stock("LDS", 80, 6, "2026-12-04"), stock("RTM", 42, 0, "0000-00-00")],
        );
        stores.articles.insert("KNI-110", vec![stock("LDS", 12, 5, ""), stock("GDN", 30, 0, "")]);
        stores.movements.insert(
            "PAN-024",
            vec![
                Movement {
                    no: 9_007_199_254_740_993,
                    site: "LDS",
                    quantity: 60,
                    at: "2026-11-03T07:40:00",
                    cause: Cause::Receipt("Castware Ltd."),
                },
                Movement {
                    no: 9_007_199_254_740_995,
                    site: "LDS",
                    quantity: 6,
                    at: "2026-11-05T11:02:00",
                    cause: Cause::Issue("ord_1001"),
                },
            ],
        );
        stores.pick_lists.insert(
            4711,
            PickList {
                no: 4711,
                order: "ord_1002",
                picker: None,
                lines: vec![
                    PickLine { article: "KNI-110", bin: "A-07-3", pieces: 3 },
                    PickLine { article: "PAN-024", bin: "B-12-1", pieces: 1 },
                ],
            },
        );
        for (article, bin, pieces) in [("KNI-110", "A-07-3", 12), ("PAN-024", "B-12-1", 80)] {
            stores.bins.insert((article.to_owned(), bin.to_owned()), pieces);
        }
        stores
    }

    /// The stock of an article, at all sites or one. The first look at an article finds the
    /// table locked.
    pub(super) fn stock(
        &mut self,
        article: &str,
        site: Option<&str>,
    ) -> Result<Vec<Stock>, Trouble> {
        let found = self.articles.get(article).ok_or_else(|| Trouble::NoArticle(article.into()))?;
        if self.looked_at.insert(article.to_owned()) {
            return Err(Trouble::Locked);
        }
        Ok(found.iter().filter(|one| site.is_none_or(|site| one.site == site)).cloned().collect())
    }

    /// What moved of an article since a day, oldest first.
    pub(super) fn movements(
        &self,
        article: &str,
        since: Option<&str>,
        most: usize,
    ) -> Result<Vec<Movement>, Trouble> {
        let found =
            self.movements.get(article).ok_or_else(|| Trouble::NoArticle(article.into()))?;
        // Dates of ISO 8601 stand in the order of their days.
        let recent = found.iter().filter(|one| since.is_none_or(|since| one.at >= since));
        Ok(recent.take(most).cloned().collect())
    }

    /// Reserves all lines or none; the reservation's number.
    pub(super) fn reserve(&mut self, lines: Vec<Wanted>) -> Result<i64, Trouble> {
        let mut changed = self.articles.clone();
        for line in &lines {
            let stock = changed
                .get_mut(line.article.as_str())
                .ok_or_else(|| Trouble::NoArticle(line.article.clone()))?;
            let stock = stock.iter_mut().find(|stock| stock.site == line.site);
            let stock = stock.ok_or(Trouble::TooFew)?;
            if stock.on_hand - stock.reserved < line.quantity {
                return Err(Trouble::TooFew);
            }
            stock.reserved += line.quantity;
        }
        self.articles = changed;
        let no = 88_001 + i64::try_from(self.reservations.len()).unwrap_or(0);
        self.reservations.insert(no, lines);
        Ok(no)
    }

    /// Gives a reservation's pieces back; whether there were any to give.
    pub(super) fn release(&mut self, no: i64) -> Result<bool, Trouble> {
        let lines = self.reservations.get_mut(&no).ok_or(Trouble::NoReservation)?;
        let lines = std::mem::take(lines);
        for line in &lines {
            let stock = self.articles.get_mut(line.article.as_str()).into_iter().flatten();
            for stock in stock.filter(|stock| stock.site == line.site) {
                stock.reserved -= line.quantity;
            }
        }
        Ok(!lines.is_empty())
    }

    /// A pick list.
    pub(super) fn pick_list(&self, no: i32) -> Result<&PickList, Trouble> {
        self.pick_lists.get(&no).ok_or(Trouble::NoPickList)
    }

    /// Moves pieces from one bin to another; what the other then holds.
    pub(super) fn move_bin(
        &mut self,
        article: &str,
        from: &str,
        to: &str,
        pieces: u32,
    ) -> Result<u32, Trouble> {
        let key = |bin: &str| (article.to_owned(), bin.to_owned());
        let source = self.bins.get_mut(&key(from)).ok_or_else(|| Trouble::NoBin(from.into()))?;
        *source = source.checked_sub(pieces).ok_or(Trouble::TooFew)?;
        let target = self.bins.entry(key(to)).or_default();
        *target += pieces;
        Ok(*target)
    }
}
