//
// HostName.swift: the machine's name, by which others find this process.
//

import Glibc

/// The host's name; `localhost` when it has none.
func hostName() -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
        guard let base = buffer.baseAddress, gethostname(base, 255) == 0 else { return "localhost" }
        buffer[255] = 0
        return String(cString: base)
    }
}
