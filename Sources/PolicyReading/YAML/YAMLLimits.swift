// SPDX-License-Identifier: Apache-2.0

/// Bounds on what a document may cost to read, so that no file stops the reader.
package struct YAMLLimits: Hashable, Sendable {
    /// Bytes of one file.
    package var byteCountMax: Int
    /// Nested collections.
    package var depthMax: Int
    /// Nodes of one file with every alias expanded.
    package var nodeCountMax: Int
    /// Errors after which reading a file stops.
    package var errorCountMax: Int

    package init(
        byteCountMax: Int = 16 << 20, depthMax: Int = 64, nodeCountMax: Int = 2_000_000, errorCountMax: Int = 200
    ) {
        self.byteCountMax = byteCountMax
        self.depthMax = depthMax
        self.nodeCountMax = nodeCountMax
        self.errorCountMax = errorCountMax
    }
}
