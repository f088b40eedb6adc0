// SPDX-License-Identifier: Apache-2.0

// What is read is as much a part of the client as who asks for it.
@_exported public import KubernetesReading
