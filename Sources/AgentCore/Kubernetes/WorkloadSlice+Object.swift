// SPDX-License-Identifier: Apache-2.0

import ClusterModel
import FoundationEssentials
import KubernetesClient

extension WorkloadSlice {
    private struct Document<Spec: Decodable>: Decodable {
        var spec: Spec
    }

    /// Reads an object of the API; throws what is wrong with it.
    init(_ object: RawObject) throws {
        let data = Data(object.text)
        // Of another version anything may be otherwise: that comes first, whatever else cannot be read.
        try JSONDecoder().decode(Document<WorkloadSliceHead>.self, from: data).spec.check()
        self = try JSONDecoder().decode(Document<WorkloadSliceRecord>.self, from: data).spec.slice()
    }
}
