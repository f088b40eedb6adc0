// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import KubernetesClient
import KubernetesReading

/// When workloads of other nodes are read from slices in place of pods.
enum SliceMode: Hashable, Sendable {
    case never
    case always
    /// In clusters with more pods than these, if there are slices.
    case above(pods: Int)

    /// Asks the API what the cluster is like.
    ///
    /// Slices that are not all written yet are none: whoever is missing in them would be nobody. Nor are those of a version
    /// that is not read here.
    func isSliced(_ client: KubernetesClient) async throws(KubernetesError) -> Bool {
        guard case .above(let count) = self else { return self == .always }
        guard try await client.countPods() > count else { return false }
        do throws(KubernetesError) {
            let marker = try await client.get(.workloadSlices, ObjectKey(name: WorkloadSlice.marker))
            return (try? WorkloadSlice(marker)) != nil
        } catch {
            guard error.kind == .notFound || error.kind == .forbidden else { throw error }
            return false
        }
    }
}

extension KubernetesClient {
    /// How many pods the cluster has, as far as the server says; costs it one object.
    fileprivate func countPods() async throws(KubernetesError) -> Int {
        let bytes = try await send("GET", ResourceKind.pods.path(namespace: nil) + "?limit=1")
        guard let list = try? JSONView(bytes) else {
            throw KubernetesError(.malformed, "the list of pods is not JSON")
        }
        return (list["items"]?.elements.count ?? 0) + (list["metadata"]?["remainingItemCount"]?.integer ?? 0)
    }
}
