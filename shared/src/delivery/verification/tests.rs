use super::{super::vocabulary::LOCALES, *};

const APP_HASH: &str = "FA+9qCX9VSu";

fn locale(tag: &str) -> Locale {
    Locale::parse(tag).expect("a good tag")
}

fn domain(name: &str) -> DomainName {
    DomainName::parse(name).expect("a good name")
}

fn text<'a>(name: &'a str, code: &'a Secret, last_line: LastLine<'a>) -> VerificationText<'a> {
    VerificationText {
        name,
        code,
        expires_in_minutes: 10,
        payment: None,
        do_not_share: false,
        last_line,
    }
}

fn said(tag: &str, text: &VerificationText<'_>) -> String {
    verification_text(&locale(tag), text).expose().to_owned()
}

#[test]
fn a_message_has_the_words_of_its_language() {
    let (code, origin) = (Secret::new("042317".into()), domain("id.example.com"));
    let payment = Payment {
        amount: "€39.99",
        payee: "Acme Inc",
    };
    for (tag, plain, with_warning, to_pay) in [
        (
            "en",
            "042317 is your Example code. It expires in 10 minutes.",
            "042317 is your Example code. It expires in 10 minutes.\nDo not share it with anyone.",
            "042317 is your Example code to pay €39.99 to Acme Inc. It expires in 10 minutes.",
        ),
        (
            "ru",
            "042317 — ваш код Example. Действует 10 минут.",
            "042317 — ваш код Example.\nНикому не сообщайте этот код.",
            "042317 — ваш код Example для оплаты €39.99, получатель Acme Inc.",
        ),
        (
            "uk",
            "042317 — ваш код Example. Діє 10 хвилин.",
            "042317 — ваш код Example.\nНікому не повідомляйте цей код.",
            "042317 — ваш код Example для оплати €39.99, отримувач Acme Inc.",
        ),
        (
            "tlh",
            "042317 is your Example code. It expires in 10 minutes.",
            "042317 is your Example code. It expires in 10 minutes.\nDo not share it with anyone.",
            "042317 is your Example code to pay €39.99 to Acme Inc. It expires in 10 minutes.",
        ),
    ] {
        let without_line = text("Example", &code, LastLine::None);
        let warned = VerificationText {
            do_not_share: true,
            ..without_line
        };
        let paid = VerificationText {
            payment: Some(payment),
            ..without_line
        };
        assert_eq!(said(tag, &without_line), plain);
        assert_eq!(said(tag, &warned), with_warning);
        assert_eq!(said(tag, &paid), to_pay);
        let bound = text("Example", &code, LastLine::Origin(&origin));
        assert!(said(tag, &bound).ends_with(".\n\n@id.example.com #042317"), "{tag}");
        let hashed = text("Example", &code, LastLine::AppHash(APP_HASH));
        assert_eq!(said(tag, &hashed), format!("{plain}\n\n{APP_HASH}"));
    }
}

#[test]
fn what_is_optional_gives_way_in_a_fixed_order() {
    let (code, origin) = (Secret::new("042317".into()), domain("id.example.com"));
    // The last line has 25 characters, so 45 are left of 70.
    for (name, expected) in [
        ("Ю", "Ю: 042317\nНикому не сообщайте этот код."),
        ("Ромашка", "Ромашка: 042317\nНикому не сообщайте этот код."),
        ("Ромашка+", "Ромашка+: 042317\nНикому не говорите."),
        ("Ромашка и компания", "Ромашка и компания: 042317\nЭто секрет."),
        ("Ромашка и компания, сыновья", "042317 — ваш код Ромашка и компания, сыновья."),
        ("Ромашка и компания, сыновья +", "Ромашка и компания, сыновья +: 042317"),
    ] {
        let warned = VerificationText {
            do_not_share: true,
            ..text(name, &code, LastLine::Origin(&origin))
        };
        assert_eq!(said("ru", &warned), format!("{expected}\n\n@id.example.com #042317"));
    }
}

/// The names of one to thirty characters that a service may have, and whether they are in the GSM alphabet.
fn names() -> Vec<(String, bool)> {
    let of = |symbol: &str, gsm| [1, 7, 30].map(|length| (symbol.repeat(length), gsm));
    [
        of("N", true),
        of("é", true),
        of("ë", false),
        of("Щ", false),
        of("验", false),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Each combination of language, name, code, warning and last line.
fn each(check: impl Fn(&str, bool, &VerificationText<'_>)) {
    let domains = ["a.co", "id.example.com", "pbx.era-platform.ru"].map(domain);
    let long = domain(&format!("{}.{}.ru", "a".repeat(48), "b".repeat(48)));
    let codes = ["0423", "042317", "0423170423"].map(|code| Secret::new(code.into()));
    for (tag, _) in LOCALES {
        for (name, gsm) in names() {
            for code in &codes {
                let origins = domains.iter().chain([&long]).map(LastLine::Origin);
                for last_line in origins.chain([LastLine::AppHash(APP_HASH), LastLine::None]) {
                    for (do_not_share, expires_in_minutes) in [(false, 10), (true, 10), (false, 1), (true, 1440)] {
                        let text = VerificationText {
                            expires_in_minutes,
                            do_not_share,
                            ..text(&name, code, last_line)
                        };
                        check(tag, gsm, &text);
                    }
                }
            }
        }
    }
}

fn last_line(text: &VerificationText<'_>) -> String {
    match text.last_line {
        LastLine::Origin(domain) => format!("\n\n@{} #{}", domain.as_str(), text.code.expose()),
        LastLine::AppHash(hash) => format!("\n\n{hash}"),
        LastLine::None => String::new(),
    }
}

/// What must be in each message, whatever its length: the code once beside the last line, and this whole.
fn assert_complete(said: &str, text: &VerificationText<'_>) {
    let line = last_line(text);
    let body = said.strip_suffix(&line).unwrap_or_else(|| panic!("{said:?} does not end with {line:?}"));
    assert_eq!(body.matches(text.code.expose()).count(), 1, "{said:?}");
    assert!(body.contains(text.name), "{said:?}");
    assert!(!said.contains(['{', '}']), "{said:?}");
    assert!(!body.contains("\n\n") && body.trim() == body, "{said:?}");
    for part in text.payment.iter().flat_map(|payment| [payment.amount, payment.payee]) {
        assert!(body.contains(part), "{said:?}");
    }
}

#[test]
fn a_message_is_one_segment_if_its_name_code_and_last_line_are() {
    each(|tag, _, text| {
        let said = said(tag, text);
        assert_complete(&said, text);
        let shortest = format!("{}: {}{}", text.name, text.code.expose(), last_line(text));
        assert_eq!(segments(&said), segments(&shortest), "{tag}: {said:?}");
    });
}

#[test]
fn a_name_of_30_characters_fits_with_a_usual_origin() {
    let count = std::cell::Cell::new(0);
    each(|tag, _, text| {
        let is_usual = match text.last_line {
            LastLine::Origin(domain) => domain.as_str().len() <= 19,
            LastLine::AppHash(_) | LastLine::None => true,
        };
        if is_usual && text.code.expose().len() <= 6 {
            count.set(count.get() + 1);
            assert_eq!(segments(&said(tag, text)), 1, "{tag}: {text:?}");
        }
    });
    assert!(count.get() > 1000);
}

#[test]
fn an_english_message_with_a_name_of_the_gsm_alphabet_lacks_nothing() {
    each(|tag, gsm, text| {
        let origin = match text.last_line {
            LastLine::Origin(domain) => domain.as_str().len(),
            LastLine::AppHash(_) | LastLine::None => 0,
        };
        if tag == "en" && gsm && origin <= 35 {
            let said = said(tag, text);
            assert!(segments(&said) == 1 && said.contains(" is your ") && said.contains("It expires in "), "{said:?}");
            assert_eq!(said.contains("\nDo not share it with anyone."), text.do_not_share, "{said:?}");
        }
    });
}

#[test]
fn a_payment_has_its_amount_and_its_payee_whatever_their_length() {
    let payees = [
        "A".to_owned(),
        "Acme Inc".to_owned(),
        "Щ".repeat(30),
        "Payee ".repeat(20).trim().to_owned(),
    ];
    for payee in &payees {
        each(|tag, _, text| {
            let payment = Payment {
                amount: "€1,234.50",
                payee,
            };
            let text = VerificationText {
                payment: Some(payment),
                ..*text
            };
            let said = said(tag, &text);
            assert_complete(&said, &text);
            let fewest = candidates(&locale(tag), &text).iter().map(|said| segments(said)).min();
            assert_eq!(Some(segments(&said)), fewest);
        });
    }
}

#[test]
fn each_form_is_shorter_than_the_one_before() {
    for (tag, _) in LOCALES {
        let (_, words) = words_of(&locale(tag));
        let words = words.verification_text;
        for (forms, values) in [(&words.code, 2), (&words.payment, 4), (&words.warning, 0)] {
            assert!(forms.len() > 1, "{tag}");
            for pair in forms.windows(2) {
                assert!(pair[1].chars().count() < pair[0].chars().count(), "{tag}: {pair:?}");
            }
            assert!(forms.iter().all(|form| form.matches('{').count() == values), "{tag}: {forms:?}");
        }
        assert_eq!(words.code.last().map(String::as_str), Some("{name}: {code}"), "{tag}: the shortest possible");
    }
}

#[test]
fn a_lifetime_is_at_least_a_minute_and_hours_are_hours() {
    for (tag, minutes, life) in [
        ("en", 0, "1 minute."),
        ("en", 1, "1 minute."),
        ("en", 59, "59 minutes."),
        ("en", 60, "1 hour."),
        ("en", 61, "61 minutes."),
        ("en", 1440, "24 hours."),
        ("ru", 0, "1 минуту."),
        ("ru", 2, "2 минуты."),
        ("ru", 120, "2 часа."),
        ("uk", 0, "1 хвилину."),
        ("uk", 5, "5 хвилин."),
        ("uk", 1440, "24 години."),
    ] {
        let code = Secret::new("042317".into());
        let text = VerificationText {
            expires_in_minutes: minutes,
            ..text("Example", &code, LastLine::None)
        };
        assert!(said(tag, &text).ends_with(life), "{}", said(tag, &text));
    }
}

#[test]
fn a_name_is_one_line_and_no_template() {
    let (code, origin) = (Secret::new("042317".into()), domain("id.example.com"));
    for (name, shown) in [
        ("a\r\n@evil.example #1", "a  @evil.example #1"),
        ("a\u{2028}b\u{85}c\u{0}", "a b c "),
        ("{code}{life}{payee}", "{code}{life}{payee}"),
    ] {
        let said = said("en", &text(name, &code, LastLine::Origin(&origin)));
        assert!(said.contains(&format!("042317 is your {shown} code.")), "{said:?}");
        let lines: Vec<_> = said.split('\n').collect();
        assert_eq!(lines[1..], ["", "@id.example.com #042317"], "{said:?}");
    }
}

fn mail(tag: &str, name: &str, payment: Option<Payment<'_>>, do_not_share: bool) -> Mail {
    verification_mail(&locale(tag), name, &Secret::new("042317".into()), 10, payment, do_not_share)
}

#[test]
fn a_mail_has_its_code_alone_on_a_line_and_not_in_its_subject() {
    for (tag, subject, text) in [
        (
            "en",
            "Your Example code",
            "042317\n\nThe code can be used once, and expires in 10 minutes.\n\n\
             If you did not request it, please ignore this message.\n",
        ),
        (
            "ru",
            "Ваш код Example",
            "042317\n\nКод можно использовать один раз. Он действует 10 минут.\n\n\
             Если вы его не запрашивали, просто не обращайте внимания на это письмо.\n",
        ),
        (
            "uk",
            "Ваш код Example",
            "042317\n\nКод можна використати один раз. Він діє 10 хвилин.\n\n\
             Якщо ви його не запитували, просто не зважайте на цей лист.\n",
        ),
    ] {
        let mail = mail(tag, "Example", None, false);
        assert_eq!((mail.subject.as_str(), mail.text.as_str()), (subject, text));
        assert!(mail.html.contains(&format!("<html lang=\"{tag}\"")), "{tag}");
        assert!(
            mail.html.contains(&format!("<h1 style=\"font-size: 22px; line-height: 1.3\">{subject}</h1>")),
            "{tag}"
        );
        assert_eq!(mail.html.matches(">042317<").count(), 1, "{tag}");
        assert_eq!(mail.html.matches("042317").count(), 1, "{tag}");
    }
}

#[test]
fn a_mail_of_a_payment_has_its_amount_and_its_payee() {
    let payment = Payment {
        amount: "€39.99",
        payee: "Acme Inc",
    };
    for (tag, approves, unrequested) in [
        (
            "en",
            "This code approves a payment of €39.99 to Acme Inc.",
            "If you are not making this payment, do not enter the code.",
        ),
        (
            "ru",
            "Этот код подтверждает оплату €39.99, получатель Acme Inc.",
            "Если вы не совершаете этот платёж, не вводите код.",
        ),
        (
            "uk",
            "Цей код підтверджує оплату €39.99, отримувач Acme Inc.",
            "Якщо ви не здійснюєте цей платіж, не вводьте код.",
        ),
    ] {
        let mail = mail(tag, "Example", Some(payment), false);
        assert!(mail.text.starts_with(&format!("{approves}\n\n042317\n\n")), "{}", mail.text);
        assert!(mail.text.ends_with(&format!("\n\n{unrequested}\n")), "{}", mail.text);
        assert!(mail.html.contains(&format!("<p>{approves}</p>")), "{}", mail.html);
    }
}

#[test]
fn a_mail_warns_if_the_tenant_wants_it() {
    for (tag, warning) in [
        ("en", "Do not share this code with anyone."),
        ("ru", "Никому не сообщайте этот код."),
        ("uk", "Нікому не повідомляйте цей код."),
    ] {
        for wanted in [false, true] {
            let mail = mail(tag, "Example", None, wanted);
            assert_eq!(mail.text.contains(&format!("\n\n{warning}\n\n")), wanted, "{}", mail.text);
            assert_eq!(mail.html.contains(&format!("<p>{warning}</p>")), wanted, "{}", mail.html);
        }
    }
}

#[test]
fn what_a_tenant_wrote_is_neither_markup_nor_a_link_in_a_mail() {
    let hostile = "</title><script>\"'&</h1><a href=https://evil.example/x>\r\nBcc: eve@evil.example\u{2028}{code} www.evil.example";
    let payment = Payment {
        amount: hostile,
        payee: hostile,
    };
    for (tag, _) in LOCALES {
        let mail = mail(tag, hostile, Some(payment), true);
        assert!(!mail.subject.contains(char::is_control) && !mail.subject.contains('\u{2028}'), "{}", mail.subject);
        for part in [&mail.text, &mail.html] {
            assert_eq!(part.matches("042317").count(), 1, "a value is not a template: {part}");
            let shown = part.split_once("</head>").map_or(part.as_str(), |(_, body)| body);
            assert!(!shown.contains("://") && !shown.contains("evil.example") && !shown.contains("www.evil"), "{part}");
        }
        for tag in ["<script", "<a "] {
            assert!(!mail.html.contains(tag), "{}", mail.html);
        }
        for tag in ["</title>", "</h1>", "<body"] {
            assert_eq!(mail.html.matches(tag).count(), 1, "{}", mail.html);
        }
    }
}

#[test]
fn addresses_are_divided_and_amounts_are_not() {
    for (text, divided) in [
        ("", ""),
        ("Example", "Example"),
        ("Acme Inc.", "Acme Inc."),
        ("Acme Inc. Ltd", "Acme Inc. Ltd"),
        ("€1.234,50 39.99", "€1.234,50 39.99"),
        ("evil.example", "evil.\u{200b}example"),
        ("a1.2b", "a1.2b"),
        ("1.a", "1.\u{200b}a"),
        ("пример.рф", "пример.\u{200b}рф"),
        ("https://1.2.3.4", "https:\u{200b}//1.2.3.4"),
        ("eve@localhost", "eve@\u{200b}localhost"),
        ("12:30 a:b", "12:30 a:b"),
    ] {
        assert_eq!(unlinked(text), divided);
    }
}
