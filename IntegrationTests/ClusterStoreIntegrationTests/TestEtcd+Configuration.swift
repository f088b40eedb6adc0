// SPDX-License-Identifier: Apache-2.0

import ClusterStore
import TestBed

/// Address range of the suites in this target.
let subnet = 46

extension TestEtcd {
    /// How a node reaches these members; impatient, as tests are.
    func configuration(_ instance: String, members: [Int]? = nil) throws -> EtcdConfiguration {
        var configuration = try EtcdConfiguration(
            endpoints: members.map { $0.map { endpoints[$0] } } ?? endpoints, instance: instance)
        configuration.leaseTime = .seconds(6)
        configuration.grace = .seconds(3)
        configuration.silenceLimit = .seconds(3)
        configuration.requestTimeout = .seconds(2)
        if isSecure {
            configuration.tls = .init(
                authorities: "\(certificates)/ca.pem", certificate: "\(certificates)/client.pem",
                key: "\(certificates)/client.key")
        }
        return configuration
    }
}
