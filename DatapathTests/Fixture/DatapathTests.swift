// SPDX-License-Identifier: Apache-2.0
import Testing

/// Everything that runs packets through the kernel programs, one after the other: there is one set of maps.
///
/// Needs root: without it these tests fail, they never skip.
@Suite(.serialized) enum DatapathTests {}
