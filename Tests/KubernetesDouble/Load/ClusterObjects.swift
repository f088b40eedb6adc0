// SPDX-License-Identifier: Apache-2.0

/// Objects of a made-up cluster, by their number: of the shape and about the size of those of a real one.
extension ClusterSize {
    func namespaceObject(_ number: Int) -> JSON {
        [
            "kind": "Namespace", "apiVersion": "v1",
            "metadata": [
                "name": .string("team-\(Self.padded(number, 4))"),
                "labels": ["tier": .string(number % 3 == 0 ? "web" : "back"), "team": .string("t\(number % 50)")],
            ],
        ]
    }

    func nodeObject(_ number: Int) -> JSON {
        let name = name(ofNode: number)
        return [
            "kind": "Node", "apiVersion": "v1",
            "metadata": [
                "name": .string(name),
                "labels": [
                    "kubernetes.io/hostname": .string(name), "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
                    "topology.kubernetes.io/zone": .string("zone-\(number % 3)"),
                ],
            ],
            "spec": ["podCIDR": .string("10.\(number / 256).\(number % 256).0/24")],
            "status": [
                "addresses": [
                    ["type": "InternalIP", "address": .string(nodeAddress(number))],
                    ["type": "Hostname", "address": .string(name)],
                ],
                "conditions": [["type": "Ready", "status": "True", "reason": "KubeletReady"]],
            ],
        ]
    }

    func nodeAddress(_ number: Int) -> String { "172.\(16 + number / 65536).\(number / 256 % 256).\(number % 256)" }

    /// A pod; `generation` tells successors of one number apart, in name and address.
    func podObject(_ number: Int, generation: Int = 0, isReady: Bool = true) -> JSON {
        let application = application(ofPod: number)
        let node = node(ofPod: number)
        let name = "\(application)-7c9f\(Self.padded(generation, 5))-\(Self.padded(number, 6))"
        let place = (number + generation * 7919) % 16_000_000
        let address = "100.\(64 + place / 65536 % 64).\(place / 256 % 256).\(place % 256)"
        let labels: JSON = [
            "app.kubernetes.io/name": .string(application), "app": .string(application),
            "app.kubernetes.io/part-of": .string("shop-\(number % 20)"),
            "tier": .string(number % 3 == 0 ? "web" : "back"),
            "version": .string("v\(number % 4)"), "pod-template-hash": .string("7c9f\(Self.padded(generation, 5))"),
        ]
        return [
            "kind": "Pod", "apiVersion": "v1",
            "metadata": [
                "name": .string(name), "generateName": .string("\(application)-7c9f\(Self.padded(generation, 5))-"),
                "namespace": .string(namespace(ofPod: number)), "labels": labels,
                "annotations": ["kubernetes.io/config.source": "api", "prometheus.io/scrape": "true"],
                "ownerReferences": [
                    [
                        "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": .string("\(application)-7c9f"),
                        "uid": "6f1c2f0e-6a52-4a57-9c6a-1b8b2f0f8f10", "controller": true, "blockOwnerDeletion": true,
                    ]
                ], "managedFields": Self.kubeletFields,
            ],
            "spec": Self.podSpec(node: self.name(ofNode: node), application: application),
            "status": podStatus(address: address, node: node, application: application, isReady: isReady),
        ]
    }

    private static func podSpec(node: String, application: String) -> JSON {
        [
            "volumes": [
                ["name": "config", "configMap": ["name": .string("\(application)-config"), "defaultMode": 420]],
                ["name": "scratch", "emptyDir": [:]],
            ],
            "containers": [
                [
                    "name": .string(application), "image": .string("registry.example.org/shop/\(application):1.42.0"),
                    "ports": [
                        ["name": "http", "containerPort": 8080, "protocol": "TCP"],
                        ["name": "metrics", "containerPort": 9090, "protocol": "TCP"],
                    ],
                    "env": [["name": "LOG_LEVEL", "value": "info"], ["name": "REGION", "value": "north"]],
                    "resources": [
                        "limits": ["cpu": "1", "memory": "512Mi"], "requests": ["cpu": "100m", "memory": "128Mi"],
                    ],
                    "readinessProbe": [
                        "httpGet": ["path": "/ready", "port": "http", "scheme": "HTTP"], "timeoutSeconds": 1,
                        "periodSeconds": 10,
                    ],
                    "volumeMounts": [["name": "config", "readOnly": true, "mountPath": "/etc/app"]],
                    "imagePullPolicy": "IfNotPresent", "terminationMessagePath": "/dev/termination-log",
                ]
            ],
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
            "serviceAccountName": .string(application), "nodeName": .string(node), "securityContext": [:],
            "schedulerName": "default-scheduler", "priority": 0, "enableServiceLinks": true,
            "tolerations": [
                [
                    "key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute",
                    "tolerationSeconds": 300,
                ]
            ],
        ]
    }

    private func podStatus(address: String, node: Int, application: String, isReady: Bool) -> JSON {
        let started = "2026-11-01T00:00:00Z"
        let ready: JSON = isReady ? "True" : "False"
        let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map { type -> JSON in
            [
                "type": .string(type), "status": type.hasSuffix("Ready") ? ready : "True",
                "lastTransitionTime": .string(started),
            ]
        }
        return [
            "phase": "Running", "conditions": .array(conditions), "hostIP": .string(nodeAddress(node)),
            "podIP": .string(address), "podIPs": [["ip": .string(address)]], "startTime": .string(started),
            "containerStatuses": [
                [
                    "name": .string(application), "ready": .bool(isReady), "started": true, "restartCount": 0,
                    "state": ["running": ["startedAt": .string(started)]],
                    "image": .string("registry.example.org/shop/\(application):1.42.0"),
                    "imageID":
                        "registry.example.org/shop@sha256:2f0e6a524a579c6a1b8b2f0f8f106f1c2f0e6a524a579c6a1b8b2f0f8f106f1c",
                    "containerID": "containerd://6a524a579c6a1b8b2f0f8f106f1c2f0e6a524a579c6a1b8b2f0f8f106f1c2f0e",
                ]
            ], "qosClass": "Burstable",
        ]
    }

    private static let kubeletFields: JSON = [
        [
            "manager": "kubelet", "operation": "Update", "apiVersion": "v1", "time": "2026-11-01T00:00:00Z",
            "fieldsType": "FieldsV1", "subresource": "status",
            "fieldsV1": [
                "f:status": [
                    "f:containerStatuses": [:], "f:hostIP": [:], "f:phase": [:], "f:podIP": [:], "f:startTime": [:],
                    "f:podIPs": [".": [:]],
                ]
            ],
        ]
    ]

    /// A NetworkPolicy: an application of a namespace, and who may reach it.
    func policyObject(_ number: Int) -> JSON {
        let namespace = number % namespaces
        let application = "app-\(Self.padded(number / namespaces % 30, 2))"
        return [
            "kind": "NetworkPolicy", "apiVersion": "networking.k8s.io/v1",
            "metadata": [
                "name": .string("allow-\(Self.padded(number, 5))"),
                "namespace": .string("team-\(Self.padded(namespace, 4))"),
            ],
            "spec": [
                "podSelector": ["matchLabels": ["app": .string(application)]], "policyTypes": ["Ingress"],
                "ingress": [
                    [
                        "from": [
                            ["podSelector": ["matchLabels": ["tier": .string(number % 2 == 0 ? "web" : "back")]]],
                            [
                                "namespaceSelector": ["matchLabels": ["team": .string("t\(number % 50)")]],
                                "podSelector": ["matchLabels": ["version": .string("v\(number % 4)")]],
                            ],
                            ["ipBlock": ["cidr": .string("192.168.\(number % 256).0/24")]],
                        ],
                        "ports": [["protocol": "TCP", "port": .number(String(8080 + number % 4))]],
                    ]
                ],
            ],
        ]
    }
}
