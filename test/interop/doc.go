// Package interop has no code of its own: its tests let real mail clients submit
// to the built program and let the program relay to real mail servers.
//
// Clients are swaks, curl, msmtp and Python's smtplib, servers Postfix and Exim;
// package peers says where they come from. Messages are compared byte for byte
// where nothing has to be converted, and decoded where something has.
package interop
