// SPDX-License-Identifier: Apache-2.0

/// The name that the kernel has for the host, as `hostname` prints it.
package enum HostName {
    /// Empty if it cannot be read.
    package static func current() -> String {
        let text = (try? readTextFile("/proc/sys/kernel/hostname")) ?? ""
        return String(text.prefix { !$0.isNewline })
    }
}
