//! The two languages of the page, and the words for what the logs call by stable names.

use axum::http::HeaderMap;
use catalogue::ErrorType;
use common::{domain, http::AcceptLanguage};

/// A language of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Language {
    /// English.
    #[default]
    English,
    /// Russian.
    Russian,
}

use Language::{English, Russian};

impl Language {
    /// The language of this tag (RFC 5646), if it is one of the two.
    pub(crate) fn of_tag(tag: &str) -> Option<Self> {
        match tag.split('-').next()?.to_ascii_lowercase().as_str() {
            "en" => Some(English),
            "ru" => Some(Russian),
            _ => None,
        }
    }

    /// The one that `Accept-Language` prefers.
    pub(crate) fn accepted(headers: &HeaderMap) -> Self {
        match AcceptLanguage::of(headers).0 {
            domain::Language::English => English,
            domain::Language::Russian => Russian,
        }
    }

    pub(crate) const fn tag(self) -> &'static str {
        match self {
            English => "en",
            Russian => "ru",
        }
    }

    /// The text in this language.
    pub(crate) const fn of<'a>(self, english: &'a str, russian: &'a str) -> &'a str {
        match self {
            English => english,
            Russian => russian,
        }
    }

    /// A length of time, in the one or two units that fit.
    pub(crate) fn duration(self, hours: f64) -> String {
        let seconds = (hours.max(0.0) * 3600.0).round();
        let whole = |value: f64| format!("{:.0}", value.floor());
        let (day, hour, minute, second) = match self {
            English => ("d", "h", "min", "s"),
            Russian => ("д", "ч", "мин", "с"),
        };
        match seconds {
            ..60.0 => format!("{} {second}", whole(seconds)),
            ..3600.0 => format!("{} {minute}", whole(seconds / 60.0)),
            ..86_400.0 => {
                let minutes = (seconds % 3600.0 / 60.0).floor();
                let rest = if minutes > 0.0 { format!(" {minutes:.0} {minute}") } else { String::new() };
                format!("{} {hour}{rest}", whole(seconds / 3600.0))
            }
            _ => {
                let hours = (seconds % 86_400.0 / 3600.0).floor();
                let rest = if hours > 0.0 { format!(" {hours:.0} {hour}") } else { String::new() };
                format!("{} {day}{rest}", whole(seconds / 86_400.0))
            }
        }
    }

    /// A length of time in microseconds, short enough for a span.
    pub(crate) fn short_duration(self, microseconds: f64) -> String {
        match microseconds {
            ..1_000.0 => format!("{microseconds:.0} {}", self.of("µs", "мкс")),
            ..10_000.0 => format!("{:.1} {}", microseconds / 1e3, self.of("ms", "мс")),
            ..1_000_000.0 => format!("{:.0} {}", microseconds / 1e3, self.of("ms", "мс")),
            ..60_000_000.0 => format!("{:.1} {}", microseconds / 1e6, self.of("s", "с")),
            _ => self.duration(microseconds / 3.6e9),
        }
    }

    /// A status in plain words.
    pub(crate) fn status(self, status: &str) -> &str {
        match status {
            "INITIATED" => self.of("created", "создан"),
            "FILE_UPLOADED" => self.of("model uploaded", "модель загружена"),
            "SUBMITTED" => self.of("submitted", "отправлен в работу"),
            "PRICE_CALCULATED" => self.of("price calculated", "цена рассчитана"),
            "MANUFACTURING_APPROVED" => self.of("approved for production", "одобрен к производству"),
            "MANUFACTURING_STARTED" => self.of("in production", "в производстве"),
            "MANUFACTURING_COMPLETED" => self.of("manufactured", "изготовлен"),
            "PACKAGING" => self.of("being packed", "упаковывается"),
            "SHIPPED" => self.of("shipped", "отгружен"),
            "CLOSED" => self.of("closed", "закрыт"),
            other => other,
        }
    }

    /// What Support tells the customer about this status: what comes before the time since when, and what comes next.
    pub(crate) const fn sentence(self, status: &str) -> (&'static str, &'static str) {
        match (self, status.as_bytes()) {
            (English, b"INITIATED") => ("Your order was created on", "Next, please upload your 3D model."),
            (English, b"FILE_UPLOADED") => {
                ("We have had your 3D model since", "Next, please submit the order in the shop.")
            }
            (English, b"SUBMITTED") => {
                ("Your order was submitted on", "Its price is being calculated; that comes next.")
            }
            (English, b"PRICE_CALCULATED") => {
                ("The price of your order has been known since", "A seller approves it for production next.")
            }
            (English, b"MANUFACTURING_APPROVED") => {
                ("Your order has been approved for production since", "A jeweller takes it next.")
            }
            (English, b"MANUFACTURING_STARTED") => {
                ("Your order has been in production since", "Packaging comes after it is finished.")
            }
            (English, b"MANUFACTURING_COMPLETED") => ("Your order was finished on", "It is packed next."),
            (English, b"PACKAGING") => ("Your order has been in packaging since", "It is handed to the carrier next."),
            (English, b"SHIPPED") => ("Your order was handed to the carrier on", "It is on its way to you."),
            (English, b"CLOSED") => ("Your order was delivered and closed on", "Nothing is left to do."),
            (Russian, b"INITIATED") => ("Ваш заказ создан", "Дальше загрузите, пожалуйста, 3D-модель."),
            (Russian, b"FILE_UPLOADED") => {
                ("Ваша 3D-модель у нас с", "Дальше отправьте, пожалуйста, заказ в магазине.")
            }
            (Russian, b"SUBMITTED") => ("Ваш заказ отправлен", "Сейчас рассчитывается цена."),
            (Russian, b"PRICE_CALCULATED") => {
                ("Цена вашего заказа известна с", "Дальше продавец передаёт его в производство.")
            }
            (Russian, b"MANUFACTURING_APPROVED") => ("Ваш заказ одобрен к производству с", "Дальше его берёт ювелир."),
            (Russian, b"MANUFACTURING_STARTED") => ("Ваш заказ в производстве с", "Когда он будет готов, его упакуют."),
            (Russian, b"MANUFACTURING_COMPLETED") => ("Ваш заказ изготовлен", "Дальше его упакуют."),
            (Russian, b"PACKAGING") => ("Ваш заказ упаковывается с", "Дальше его передадут перевозчику."),
            (Russian, b"SHIPPED") => ("Ваш заказ передан перевозчику", "Он в пути к вам."),
            (Russian, b"CLOSED") => ("Ваш заказ доставлен и закрыт", "Больше ничего делать не нужно."),
            (English, _) => ("Nothing is known yet about the status of your order", ""),
            (Russian, _) => ("О статусе вашего заказа пока ничего не известно", ""),
        }
    }

    /// Who has to do the next step for an order in this status.
    pub(crate) fn next_step(self, status: &str) -> &'static str {
        match status {
            "INITIATED" | "FILE_UPLOADED" => self.of("The customer has to act.", "Ждём клиента."),
            "SUBMITTED" => self.of(
                "The price calculation has not ended: see the price below, then whether the MES and the messages work.",
                "Расчёт цены не закончен: посмотрите цену ниже, затем работу MES и сообщений.",
            ),
            "PRICE_CALCULATED" => {
                self.of("A seller has to approve it in the CRM.", "Продавец должен одобрить его в CRM.")
            }
            "MANUFACTURING_APPROVED" => self.of(
                "No operator has taken it: ask the production's shift.",
                "Его никто не взял: спросите смену производства.",
            ),
            "MANUFACTURING_STARTED" | "MANUFACTURING_COMPLETED" | "PACKAGING" => self.of(
                "The operator who has it has to go on: ask them.",
                "Работу продолжает оператор, который взял заказ: спросите его.",
            ),
            "SHIPPED" => self.of(
                "The carrier has not confirmed the delivery: ask them.",
                "Перевозчик не подтвердил доставку: спросите его.",
            ),
            _ => self.of("Nothing is left to do.", "Делать больше ничего не нужно."),
        }
    }

    /// A class of errors in plain words. The catalogue has the English ones.
    pub(crate) fn meaning(self, class: &str) -> &'static str {
        let Some(class) = ErrorType::from_name(class) else {
            return self.of("A failure without a known class.", "Сбой неизвестного вида.");
        };
        self.of(
            class.meaning(),
            match class {
                ErrorType::DatabaseUnavailable => "База данных недоступна или не отвечает вовремя.",
                ErrorType::DatabaseError => "База данных отклонила или не выполнила запрос.",
                ErrorType::BrokerUnavailable => "RabbitMQ недоступен, или связь с ним оборвалась.",
                ErrorType::BrokerError => "RabbitMQ отклонил, вернул или не подтвердил сообщение.",
                ErrorType::ModelStoreUnavailable => "Хранилище 3D-моделей недоступно.",
                ErrorType::ModelStoreError => "Хранилище 3D-моделей не смогло прочитать или записать файл.",
                ErrorType::ModelMissing => "3D-модели заказа нет в хранилище.",
                ErrorType::ModelUnreadable => "Файл 3D-модели повреждён или не того формата.",
                ErrorType::ModelNotClosed => "В поверхности 3D-модели дыры: у неё нет объёма.",
                ErrorType::ModelTooLarge => "3D-модель больше, чем может посчитать расчёт цены.",
                ErrorType::MessageMalformed => "Сообщение нельзя прочитать.",
                ErrorType::MessageUnexpected => "Сообщение не подходит: его вид или заказ здесь неизвестен.",
                ErrorType::MessageTooNew => "Сообщение от более новой версии: получателя нужно обновить.",
                ErrorType::SearchUnavailable => "Elasticsearch недоступен или не ответил вовремя.",
                ErrorType::SearchError => "Elasticsearch отклонил поиск.",
                ErrorType::Timeout => "Операция не уложилась в своё время.",
                ErrorType::Panic => "Программа остановила операцию из-за ошибки в коде.",
                ErrorType::ConfigurationInvalid => "Настройка имеет недопустимое значение.",
                ErrorType::Internal => "Другой внутренний сбой.",
            },
        )
    }

    /// What Support does about a class of errors. With `price_failed`, a price has ended with it, which is final until an
    /// operator acts.
    pub(crate) fn advice(self, class: &str, price_failed: bool) -> &'static str {
        use ErrorType as E;
        match ErrorType::from_name(class) {
            Some(E::ModelUnreadable | E::ModelNotClosed | E::ModelTooLarge) => self.of(
                "The customer needs a corrected model in a new order; tell them the reason above.",
                "Клиенту нужна исправленная модель в новом заказе; назовите причину выше.",
            ),
            Some(E::ModelMissing) => self.of(
                "Tell the people on duty: the model has to be restored to the store. If the price has failed, an operator \
                 has to ask for the price again after that.",
                "Сообщите дежурным: модель нужно восстановить в хранилище. Если расчёт цены не удался, после \
                 этого оператор должен запросить цену ещё раз.",
            ),
            _ if price_failed => self.of(
                "The price is not tried again by itself. Tell the people on duty; once the cause is mended, \
                 an operator has to ask for the price again.",
                "Расчёт цены сам не повторяется. Сообщите дежурным; когда причина исправлена, оператор \
                 должен запросить цену ещё раз.",
            ),
            Some(E::MessageMalformed | E::MessageUnexpected | E::MessageTooNew) => self.of(
                "Tell the developers: the message is among the dead letters and can be replayed once the cause is mended.",
                "Сообщите разработчикам: сообщение в dead letters, его можно повторить, когда причина исправлена.",
            ),
            Some(
                E::DatabaseUnavailable
                | E::BrokerUnavailable
                | E::ModelStoreUnavailable
                | E::SearchUnavailable
                | E::Timeout,
            ) => self.of(
                "Messages are retried by themselves; what a person wanted to do has to be done again. If it lasts \
                 longer than some minutes, tell the people on duty.",
                "Сообщения повторяются сами; что делал человек, нужно сделать ещё раз. Если длится \
                 дольше нескольких минут, сообщите дежурным.",
            ),
            _ => self.of(
                "Tell the developers, with the trace below.",
                "Сообщите разработчикам и назовите trace ниже.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    #[test]
    fn the_language_is_the_one_that_the_header_prefers() {
        for (header, language) in
            [("", English), ("fr, RU", Russian), ("de,en;q=0.5", English), ("en;q=0.5, ru;q=0.9", Russian)]
        {
            let headers = HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, header.parse().unwrap())]);
            assert_eq!(Language::accepted(&headers), language, "{header}");
        }
    }

    #[test]
    fn a_price_that_failed_for_another_reason_than_its_model_is_asked_for_again() {
        let of_models = [ErrorType::ModelUnreadable, ErrorType::ModelNotClosed, ErrorType::ModelTooLarge];
        for class in ErrorType::ALL {
            for (language, again) in [(English, "ask for the price again"), (Russian, "запросить цену ещё раз")]
            {
                let advice = language.advice(class.name(), true);
                assert_eq!(advice.contains(again), !of_models.contains(&class), "{class:?}: {advice}");
            }
        }
        assert!(English.advice(ErrorType::ModelMissing.name(), false).contains("restored"));
        assert!(English.advice(ErrorType::Timeout.name(), false).contains("retried by themselves"));
    }

    #[test]
    fn durations_are_said_in_units_that_fit() {
        let said = [0.0, 0.01, 0.76, 3.04, 3.0, 60.0].map(|hours| English.duration(hours));
        assert_eq!(said, ["0 s", "36 s", "45 min", "3 h 2 min", "3 h", "2 d 12 h"]);
        let said = [7.0, 1_250.0, 12_500.0, 1_500_000.0, 9e7].map(|duration| English.short_duration(duration));
        assert_eq!(said, ["7 µs", "1.2 ms", "12 ms", "1.5 s", "1 min"]);
    }

    #[test]
    fn every_status_has_its_words_in_both_languages() {
        for status in catalogue::ORDER_STATUSES {
            for language in [English, Russian] {
                assert_ne!(language.status(status), status);
                assert!(!language.sentence(status).1.is_empty(), "{status}");
            }
        }
    }
}
