//! The fleet: the same twelve objects a tenant for everybody who makes them.

use serde_json::{Value, json};

/// Objects of a tenant.
pub(crate) const EACH: usize = 12;

/// What must be there before the next part is made: the namespace, then all but what names a role,
/// then that.
pub(crate) const PARTS: [std::ops::Range<usize>; 3] = [0..1, 1..11, 11..12];

/// The kinds of them, by the index of one object of the kind.
pub(crate) const KINDS: [usize; 7] = [0, 1, 2, 3, 8, 9, 11];

/// The twelve objects of phase 2 of a tenant: namespace, quota, limits, five policies, its account,
/// two roles and a binding. The namespace is called as the tenant.
pub(crate) fn objects(tenant: &str) -> Vec<Value> {
    let labels =
        json!({"matih.ai/tenant": tenant, "pod-security.kubernetes.io/enforce": "restricted"});
    let mut all = vec![json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": tenant, "labels": labels}})];
    let rows = limits().into_iter().chain(policies()).chain(rights(tenant));
    all.extend(rows.map(|(version, kind, name, rest)| {
        let labels = json!({"app.kubernetes.io/managed-by": "matih", "matih.ai/tenant": tenant});
        let mut object = json!({"apiVersion": version, "kind": kind,
            "metadata": {"name": name, "namespace": tenant, "labels": labels}});
        for (key, value) in rest.as_object().into_iter().flatten() {
            object[key] = value.clone();
        }
        object
    }));
    all
}

/// Version, kind, name and all the rest of an object.
type Row = (&'static str, &'static str, &'static str, Value);

fn limits() -> Vec<Row> {
    let hard =
        json!({"requests.cpu": "4", "requests.memory": "8Gi", "limits.cpu": "8", "pods": "40"});
    let limits = json!([{"type": "Container", "default": {"cpu": "500m", "memory": "512Mi"},
        "defaultRequest": {"cpu": "100m", "memory": "256Mi"}}]);
    vec![
        (
            "v1",
            "ResourceQuota",
            "tenant-quota",
            json!({"spec": {"hard": hard}}),
        ),
        (
            "v1",
            "LimitRange",
            "tenant-limits",
            json!({"spec": {"limits": limits}}),
        ),
    ]
}

fn policies() -> Vec<Row> {
    let inside = json!({"podSelector": {}});
    let control = json!({"namespaceSelector": {"matchLabels": {"matih.ai/role": "control-plane"}}});
    let names = json!([{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]);
    let platform = json!([{"protocol": "TCP", "port": 8443}]);
    let both = json!(["Ingress", "Egress"]);
    let policy = |name: &'static str, types: Value, rules: Value| {
        let mut spec = json!({"podSelector": {}, "policyTypes": types});
        for (key, value) in rules.as_object().into_iter().flatten() {
            spec[key] = value.clone();
        }
        (
            "networking.k8s.io/v1",
            "NetworkPolicy",
            name,
            json!({"spec": spec}),
        )
    };
    vec![
        policy("default-deny-all", both.clone(), json!({})),
        policy(
            "allow-same-namespace",
            both,
            json!({"ingress": [{"from": [inside]}], "egress": [{"to": [inside]}]}),
        ),
        policy(
            "allow-control-plane",
            json!(["Ingress"]),
            json!({"ingress": [{"from": [control]}]}),
        ),
        policy(
            "allow-dns",
            json!(["Egress"]),
            json!({"egress": [{"ports": names}]}),
        ),
        policy(
            "allow-platform",
            json!(["Egress"]),
            json!({"egress": [{"to": [control], "ports": platform}]}),
        ),
    ]
}

fn rights(tenant: &str) -> Vec<Row> {
    let group = "rbac.authorization.k8s.io/v1";
    let role = |name: &'static str, resources: Value| {
        let rule = json!({"apiGroups": [""], "resources": resources, "verbs": ["get", "list"]});
        (group, "Role", name, json!({"rules": [rule]}))
    };
    let account = json!({"automountServiceAccountToken": false});
    let binding = json!({
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "tenant-workload"},
        "subjects": [{"kind": "ServiceAccount", "name": "tenant-workload", "namespace": tenant}]});
    vec![
        ("v1", "ServiceAccount", "tenant-workload", account),
        role("tenant-workload", json!(["configmaps"])),
        role("tenant-admin", json!(["pods", "services"])),
        (group, "RoleBinding", "tenant-workload", binding),
    ]
}

/// The objects as a blueprint: every step is skipped but that of the namespace, which makes them
/// all. So an ordinary apply of ordinary specs makes these and nothing else.
pub(crate) fn blueprint() -> String {
    let mut text = String::new();
    for number in (1..=56).filter(|number| *number != 7) {
        text += &format!(
            "[[step]]\nnumber = {number}\nname = \"LEFT_OUT\"\nwhen = \"false\"\nskipped = \"not measured\"\n\n"
        );
    }
    text += "[[step]]\nnumber = 7\nname = \"CREATE_NAMESPACE\"\n";
    for (index, object) in objects("{{ tenant.slug }}").iter().enumerate() {
        let needs: &[usize] = match index {
            0 => &[],
            11 => &[0, 9],
            _ => &[0],
        };
        let needs: Vec<String> = needs
            .iter()
            .map(|it| format!("\"kubernetes.manifest/object-{it}\""))
            .collect();
        text += &format!(
            "\n[[step.resource]]\nkind = \"kubernetes.manifest\"\nname = \"object-{index}\"\ndepends_on = [{}]\nattributes = {{ cluster = \"any\", manifest = {} }}\n",
            needs.join(", "),
            matih_tests::cluster::small::toml(object)
        );
    }
    text
}

/// The spec of a tenant.
pub(crate) fn spec(tenant: &str) -> String {
    format!(
        "[tenant]\nname = \"Tenant {tenant}\"\nslug = \"{tenant}\"\ntier = \"FREE\"\nadmin_email = \"a@b.example\"\n"
    )
}
