// SPDX-License-Identifier: Apache-2.0

package import LinuxHost

/// The plugin's program, and the directory in which a runtime looks for plugins.
package enum PluginFile {
    /// Where packages and images put it.
    package static let defaultPath = "/usr/lib/cni/bulkhead-cni"
    private static let bytesMax = 256 << 20

    /// Puts a copy into a runtime's directory, at once: who starts the plugin meanwhile gets the old or the new one.
    ///
    /// False: the same was there.
    @discardableResult
    package static func copy(_ path: String = defaultPath, into directory: String) throws(HostError) -> Bool {
        let target = "\(directory)/bulkhead-cni"
        let bytes = try readRegularFile(path, bytesMax: bytesMax)
        if (try? readRegularFile(target, bytesMax: bytesMax)) == bytes { return false }
        try AtomicFile.write(bytes, to: target, mode: 0o755)
        return true
    }
}
