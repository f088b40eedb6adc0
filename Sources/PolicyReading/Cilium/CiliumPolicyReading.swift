// SPDX-License-Identifier: Apache-2.0

import PolicyModel

struct CiliumPolicyReading {
    let header: PolicyHeader

    func read(_ document: Mapping) -> PolicyContent { PolicyContent() }
}
