// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
package import IdentityModel
package import NetworkModel

extension Datapath {
    package func configureNames(_ settings: NameSettings) throws(DatapathError) {
        try withNames { names throws(BPFError) in try names.configure(settings) }
    }

    package func setNames(_ numbers: [NameSelector: NumericIdentity]) throws(DatapathError) {
        let wanted = numbers.mapValues(\.rawValue)
        try withNames { names throws(BPFError) in try names.setNumbers(wanted) }
    }

    package func learntNames() throws(DatapathError) -> [LearntName] {
        try withNames { names throws(BPFError) in try names.learnt() }
    }

    package func sweepNames() throws(DatapathError) {
        let endpoints = Set(self.endpoints().map(\.number))
        try withNames { names throws(BPFError) in try names.sweep(endpoints: endpoints) }
    }
}
