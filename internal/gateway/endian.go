package gateway

import "encoding/binary"

// littleEndian is the order of this machine's numbers.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1
