// SPDX-License-Identifier: Apache-2.0

import LinuxHost

extension Workload {
    /// Takes over what was found in its network namespace; nil: nothing was read.
    mutating func settle(in inode: UInt64, _ interfaces: Result<NamespaceInterfaces, WorkloadProblem>?) {
        networkNamespaceInode = inode
        switch interfaces {
        case .success(let found):
            self.interfaces = found.interfaces.compactMap { interface in
                interface.hostIndex.map { index in
                    WorkloadInterface(
                        hostIndex: index, name: interface.link.name, addresses: interface.routableAddresses.sorted(),
                        linkLocalAddresses: interface.addresses.filter(\.isLinkScoped).map(\.address).sorted())
                }
            }
            readProblem = found.problem
            if self.interfaces.isEmpty {
                problem = found.problem ?? WorkloadProblem.noLink(found.interfaces).text
            }
        case .failure(let failure): (problem, readProblem) = (failure.text, failure.text)
        case nil:
            let text = "its network namespace was not read"
            (problem, readProblem) = (text, text)
        }
    }
}
