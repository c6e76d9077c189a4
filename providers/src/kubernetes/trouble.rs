//! What keeps pods from coming up: pure, from the pods themselves.

use super::json::{at, tables, text};
use super::live::Live;
use super::ready::find;

/// What keeps a pod from coming up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) pod: String,
    /// The container, where it is one's fault.
    pub(super) container: Option<String>,
    /// For people.
    pub(super) why: String,
    pub(super) hint: &'static str,
    /// It never goes away by itself.
    pub(super) is_final: bool,
    /// The last words of the container may tell more.
    pub(super) has_crashed: bool,
}

/// The first pod that is in trouble.
pub(super) fn trouble(pods: &[Live]) -> Option<Trouble> {
    pods.iter().filter(|pod| !pod.is_going()).find_map(of_pod)
}

fn of_pod(pod: &Live) -> Option<Trouble> {
    let new = |container: Option<&str>, why: String, hint: &'static str| Trouble {
        pod: pod.name().to_owned(),
        container: container.map(str::to_owned),
        why: format!("pod {}: {why}", pod.name()),
        hint,
        is_final: false,
        has_crashed: false,
    };
    if let Some(unscheduled) = find(pod, "PodScheduled")
        && text(unscheduled, &["reason"]) == "Unschedulable"
    {
        let why = format!("it fits on no node: {}", text(unscheduled, &["message"]));
        return Some(new(None, why, "add nodes, or ask for less"));
    }
    let containers = ["initContainerStatuses", "containerStatuses"];
    let mut containers = containers
        .iter()
        .flat_map(|list| tables(&pod.body, &["status", list]));
    containers.find_map(|container| {
        let name = Some(text(container, &["name"]));
        let state = ["state", "waiting"];
        let reason = text(container, &["state", "waiting", "reason"]);
        let message = at(container, &state).and_then(|it| it.as_map()?.text("message"));
        let why = match message {
            Some(message) => format!("{reason}: {message}"),
            None => reason.to_owned(),
        };
        let image = "check the name of the image and the secret that it is pulled with";
        Some(match reason {
            "InvalidImageName" | "ErrImageNeverPull" => Trouble {
                is_final: true,
                ..new(name, why, image)
            },
            "ErrImagePull" | "ImagePullBackOff" => new(name, why, image),
            "CreateContainerConfigError" | "CreateContainerError" => {
                new(name, why, "check the config maps and secrets that it names")
            }
            "CrashLoopBackOff" => Trouble {
                has_crashed: true,
                ..new(name, why, "look at its log: kubectl logs --previous")
            },
            _ => return None,
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    #[test]
    fn pods_tell_their_trouble() {
        let live = |status: Json| {
            Live::read(json!({"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "x", "uid": "u", "generation": 2}, "status": status}))
            .unwrap()
        };
        let pod = |status: Json| vec![live(status)];
        assert_eq!(trouble(&pod(json!({"phase": "Running"}))), None);
        let waiting = |reason: &str| {
            pod(
                json!({"containerStatuses": [{"name": "web", "state": {"waiting": {"reason": reason, "message": "m"}}}]}),
            )
        };
        let found = trouble(&waiting("ImagePullBackOff")).unwrap();
        assert_eq!(found.why, "pod x: ImagePullBackOff: m");
        assert!(!found.is_final && !found.has_crashed);
        assert!(trouble(&waiting("InvalidImageName")).unwrap().is_final);
        assert!(trouble(&waiting("CrashLoopBackOff")).unwrap().has_crashed);
        assert_eq!(trouble(&waiting("ContainerCreating")), None);
        let unscheduled = pod(
            json!({"conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": "0/3 nodes"}]}),
        );
        assert!(trouble(&unscheduled).unwrap().why.contains("0/3 nodes"));
    }
}
