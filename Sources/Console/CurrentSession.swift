// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Glibc
import LinuxHost

/// The SSH session this command runs in, if it does; the agent then refuses to cut it.
func currentSession() -> AdministrationSession? {
    AdministrationSession(of: getpid()) { process in
        guard let bytes = try? readFile("/proc/\(process)/environ"),
            let stat = try? readTextFile("/proc/\(process)/stat"), let end = stat.lastIndex(of: ")")
        else { return nil }
        // Behind the command name, which may hold blanks: state, then parent.
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        let variables = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        return (variables, fields.count > 1 ? Int32(fields[1]) ?? 0 : 0)
    }
}
