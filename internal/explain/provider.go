package explain

// providers are the mail services whose servers are known by their words: names of
// their hosts and sites, and the marks that they put into replies. A rule names
// one as @name, where the same code or word means one thing there and another
// elsewhere.
var providers = map[string]string{
	"gmail":      "gsmtp|google.com|googlemail|gmail.com|google workspace|gmail has",
	"microsoft":  "outlook.com|office365|office 365|microsoft|aka.ms|hotmail|live.com|onmicrosoft|[exchange]|storedrv|resolver.",
	"yahoo":      "yahoo|aol.com|verizonmedia|[ymail]|(rtr:|oath.com",
	"icloud":     "icloud|apple.com|[me.com]",
	"orange":     "orange.fr|wanadoo|mwinf|ofr_|ofr0",
	"tencent":    "[qq.com]|exmail.qq|.qq.com|foxmail",
	"netease":    "[163]|[126]|[188]|netease|.163.com",
	"gmx":        "gmx.|web.de|1und1|ionos|kundenserver|mreue|nemesis|mxweb",
	"telekom":    "t-online|t-ipnet|telekom",
	"mimecast":   "mimecast",
	"proofpoint": "proofpoint|pphosted|ppe-hosted",
	"barracuda":  "barracuda|cuda_|cudamail",
	"ses":        "amazonses|aws|amazon ses|[ses]",
	"postfix":    "postfix|: recipient address rejected|: sender address rejected|: client host rejected|: helo command rejected|this is the mail system at host",
	"qmail":      "qmail|badmailfrom|rcpthosts|(#4.|(#5.|remote host said",
	"exim":       "[exim]|mail delivery software|smtp error from remote mail server|r=dnslookup|t=remote_smtp",
}
