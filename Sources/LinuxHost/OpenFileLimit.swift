// SPDX-License-Identifier: Apache-2.0

import Glibc

/// How many descriptors this process may hold.
package enum OpenFileLimit {
    /// Raises the soft limit to the hard one: a socket for each namespace watched does not fit into the usual 1024.
    /// - Returns: the limit now in force.
    @discardableResult
    package static func raise() throws(HostError) -> UInt64 {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            throw HostError.last("read the limit of open files")
        }
        guard limit.rlim_cur < limit.rlim_max else { return UInt64(limit.rlim_cur) }
        limit.rlim_cur = limit.rlim_max
        guard unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            throw HostError.last("raise the limit of open files to \(limit.rlim_max)")
        }
        return UInt64(limit.rlim_cur)
    }
}
