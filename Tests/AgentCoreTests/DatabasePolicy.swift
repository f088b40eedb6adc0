// SPDX-License-Identifier: Apache-2.0

/// Lets anyone reach one port of the database.
func databasePolicy(_ name: String, port: Int) -> String {
    """
    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: {name: \(name), namespace: shop}
    spec:
      podSelector: {matchLabels: {app: db}}
      ingress: [{ports: [{port: \(port)}]}]

    """
}
