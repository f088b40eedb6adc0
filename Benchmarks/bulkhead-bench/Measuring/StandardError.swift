// SPDX-License-Identifier: Apache-2.0

import Glibc

enum StandardError {
    static func write(_ text: String) {
        var bytes = Array(text.utf8)
        _ = unsafe Glibc.write(2, &bytes, bytes.count)
    }
}
