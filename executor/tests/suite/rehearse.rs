//! Asking what would come of a plan: what is asked, and which refusals count.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use matih_executor::{Rehearsed, rehearse};
use matih_model::{
    Answer, Applied, Call, ChangeKind, CheckReport, ErrorKind, KindSchema, Observed, Plan,
    Provider, ProviderError, ProviderFuture, ReadRequest, Reading, Registry, Rehearsal, Rehearse,
    TenantId, Verb,
};

use crate::bench::Bench;
use crate::tenant::{acme, first, graph, second};

/// Answers by a script, and notes what it was asked.
struct Oracle {
    kinds: Vec<KindSchema>,
    answer: fn(&Rehearse<'_>) -> Answer,
    how: How,
    asked: Mutex<Vec<String>>,
}

#[derive(Clone, Copy, PartialEq)]
enum How {
    Well,
    OneTooFew,
    NotAtAll,
}

fn nobody<T>() -> Result<T, ProviderError> {
    let message = "a rehearsal asks nothing else";
    Err(ProviderError::new(ErrorKind::Invalid, message))
}

impl Provider for Oracle {
    fn name(&self) -> &str {
        "oracle"
    }

    fn kinds(&self) -> Vec<KindSchema> {
        self.kinds.clone()
    }

    fn read<'a>(&'a self, _: &'a [ReadRequest<'a>]) -> ProviderFuture<'a, Vec<Reading>> {
        Box::pin(async { nobody() })
    }

    fn list<'a>(&'a self, _: &'a str, _: &'a TenantId) -> ProviderFuture<'a, Vec<Observed>> {
        Box::pin(async { nobody() })
    }

    fn rehearse<'a>(&'a self, requests: &'a [Rehearse<'a>]) -> ProviderFuture<'a, Vec<Rehearsal>> {
        let mut asked = self.asked.lock().unwrap();
        asked.extend(requests.iter().map(|it| {
            let attributes = serde_json::to_string(it.attributes).unwrap();
            format!("{:?} {} {attributes}", it.kind, it.owner.address)
        }));
        let mut answers: Vec<Rehearsal> =
            requests.iter().map(|it| (self.answer)(it).into()).collect();
        if self.how == How::OneTooFew {
            answers.pop();
        }
        let how = self.how;
        Box::pin(async move {
            match how {
                How::NotAtAll => Err(ProviderError::new(ErrorKind::Unavailable, "it is asleep")),
                _ => Ok(answers),
            }
        })
    }

    fn create<'a>(&'a self, _: &'a Call<'a>) -> ProviderFuture<'a, Applied> {
        Box::pin(async { nobody() })
    }

    fn update<'a>(&'a self, _: &'a Call<'a>) -> ProviderFuture<'a, Applied> {
        Box::pin(async { nobody() })
    }

    fn delete<'a>(&'a self, _: &'a Call<'a>) -> ProviderFuture<'a, ()> {
        Box::pin(async { nobody() })
    }

    fn check<'a>(&'a self, _: &'a Call<'a>) -> ProviderFuture<'a, CheckReport> {
        Box::pin(async { nobody() })
    }
}

/// What was answered about a plan, and what was asked.
async fn ask(
    bench: &Bench,
    plan: &Plan,
    how: How,
    answer: fn(&Rehearse<'_>) -> Answer,
) -> (Rehearsed, Vec<String>) {
    let (kinds, asked) = (bench.world.kinds(), Mutex::default());
    let oracle = Arc::new(Oracle {
        kinds,
        answer,
        how,
        asked,
    });
    let registry = Registry::new(vec![oracle.clone()]).unwrap();
    let base = bench.store.head(&acme()).unwrap();
    let time = Duration::from_secs(60);
    let rehearsed = rehearse(&registry, plan, base.as_deref(), "here", time).await;
    let asked = oracle.asked.lock().unwrap().clone();
    (rehearsed, asked)
}

/// A world in which the first version is applied.
async fn applied() -> Bench {
    let bench = Bench::new();
    bench.apply(&first(), &()).await.unwrap();
    bench
}

fn refused(_: &Rehearse<'_>) -> Answer {
    Answer::Refused(ProviderError::new(ErrorKind::Denied, "no"))
}

#[tokio::test(start_paused = true)]
async fn each_create_and_update_is_asked_about_as_it_will_be_sent() {
    let bench = applied().await;
    let plan = bench.plan(&second(), Verb::Apply).await;
    let (rehearsed, asked) = ask(&bench, &plan, How::Well, |_| Answer::not_yet("x")).await;
    let begin = |text: &str| asked.iter().filter(|it| it.starts_with(text)).count();
    assert_eq!(begin("Create acme/dns.record/docs "), 1, "{asked:#?}");
    assert_eq!(begin("Replace acme/dns.record/mail "), 1, "{asked:#?}");
    assert_eq!(begin("Update acme/dns.record/www "), 1, "{asked:#?}");
    assert_eq!(
        rehearsed.0.len(),
        asked.len(),
        "a check or a delete was asked about"
    );
    // The zone is altered and keeps its name, so the name is known.
    let www = asked.iter().find(|it| it.contains("record/www")).unwrap();
    assert!(www.contains(r#""zone":"acme.example""#), "{www}");

    let fresh = Bench::new();
    let plan = fresh.plan(&first(), Verb::Apply).await;
    let (_, asked) = ask(&fresh, &plan, How::Well, |_| Answer::Silent).await;
    let www = asked.iter().find(|it| it.contains("record/www")).unwrap();
    assert!(
        www.contains(r#""zone":{"$ref":"acme/dns.zone/zone""#),
        "{www}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_counts_if_nothing_that_comes_first_may_cure_it() {
    let bench = applied().await;
    let plan = bench.plan(&second(), Verb::Apply).await;
    let (rehearsed, _) = ask(&bench, &plan, How::Well, refused).await;
    let names = |rehearsed: &Rehearsed| -> Vec<String> {
        let refusals = rehearsed.refusals(&plan).into_iter();
        refusals
            .map(|(address, _)| address.resource_name().to_string())
            .collect()
    };
    // The others wait for the zone, which waits for the tenant's record.
    assert_eq!(names(&rehearsed), ["tenant.record/acme"]);
    let misfit = |_: &Rehearse<'_>| Answer::Misfit(ProviderError::new(ErrorKind::Invalid, "no"));
    let (rehearsed, asked) = ask(&bench, &plan, How::Well, misfit).await;
    assert_eq!(
        names(&rehearsed).len(),
        asked.len(),
        "nothing cures a misfit"
    );

    let immutable = |it: &Rehearse<'_>| match it.kind {
        ChangeKind::Update => Answer::Immutable {
            paths: Vec::new(),
            told: "fixed".into(),
        },
        _ => Answer::Silent,
    };
    let (rehearsed, _) = ask(&bench, &plan, How::Well, immutable).await;
    assert_eq!(rehearsed.unalterable().count(), rehearsed.0.len());
    assert!(names(&rehearsed).is_empty() && !rehearsed.0.is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_has_accepted_nothing() {
    let bench = applied().await;
    let plan = bench.plan(&second(), Verb::Apply).await;
    for (how, told) in [
        (How::OneTooFew, "answers to"),
        (How::NotAtAll, "it is asleep"),
    ] {
        let accept = |_: &Rehearse<'_>| Answer::Accepted { filled: Vec::new() };
        let (rehearsed, asked) = ask(&bench, &plan, how, accept).await;
        assert_eq!(rehearsed.0.len(), asked.len());
        for (address, it) in &rehearsed.0 {
            let text = it.answer.to_string();
            assert!(
                text.contains(told) && text.starts_with("not asked"),
                "{address}: {text}"
            );
        }
    }
    let nothing = bench.plan(&first(), Verb::Apply).await;
    assert!(nothing.is_empty());
    let (rehearsed, asked) = ask(&bench, &nothing, How::Well, refused).await;
    assert!(rehearsed.0.is_empty() && asked.is_empty());
    let gone = bench.plan(&graph(Vec::new()), Verb::Apply).await;
    let (_, asked) = ask(&bench, &gone, How::Well, refused).await;
    assert!(asked.is_empty(), "a delete was asked about: {asked:?}");
}
