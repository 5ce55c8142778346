package explain

// families are words that mean the same in a failure, for rules to name as
// {name}. Their members are parted by "|" and written as in a rule.
var families = map[string]string{
	// An address, the person or the box behind it.
	"box": "[user]|[mailbox]|mail box|[inbox]|recipient|[account]|addressee|[alias]|e-mail address|email address|[address]|[subscriber]|[customer]|mailfolder|mail folder",
	// It is not there.
	"absent": "unknown|not found|not exist|doesn't exist|doesnt exist|does not seem to exist|no longer exist|non-existent|nonexistent|non existent|[invalid]|not valid|n't valid|not known|not recognized|not recognised|" +
		"not registered|cannot be found|could not be found|couldn't be found|wasn't found|can't be found|not listed|no longer valid|not present|no longer available|unrecognized|undeliverable|never existed|has been removed|was removed|" +
		"been deleted|was deleted|not in our|isn't in our|not local|not a local|not here|wrong",
	// It is there and shut.
	"shut": "disabled|[inactive]|inactivity|suspended|deactivated|[closed]|[locked]|frozen|dormant|terminated|has expired|account expired|not active|no longer active|discontinued|cancelled|canceled|on hold|[barred]|not activated|decommissioned|blocked",
	// It holds no more.
	"full":  "[full]|over quota|overquota|over-quota|out of storage|out of space|out of disk|no space|no room|exceeded its|exceeds its|exceeded the|exceeds the|has exceeded|has reached|storage|too many messages|overflow|over the",
	"quota": "[quota]|storage|[limit]|[space]|allocation|capacity|maximum size|allowed size|disk",
	// Somebody will not have it.
	"refused": "rejected|reject|refused|refuse|denied|blocked|banned|prohibited|forbidden|not allowed|not accepted|not permitted|disallowed|declined|unacceptable|not welcome|barred|blacklisted|blacklist",
	// Signing in.
	"login": "login|log in|log-in|logon|log on|sign-in|sign in|signin|[auth]|authentication|authenticate|authenticating|authenticator|password|credential|user name|username|smtp auth",
	"wrong": "incorrect|invalid|wrong|rejected|not accepted|does not match|do not match|not match|not correct|bad|mismatch|unsuccessful|not valid|failed|failure|unauthorized|error",
	// A line or a server does not carry.
	"connect": "connect|connection|reach|contact|communicate|communication|open",
	"cannot":  "cannot|can not|can't|could not|couldn't|unable|failed|failure|fails|impossible|not able|[not]|error",
	"server":  "server|[host]|smtp|[mx]|mail exchanger|mta",
	// A while, or how often.
	"period": "hour|hourly|[day]|daily|24h|per minute|per second|monthly|[month]|[week]|today|24-hour",
	"limit":  "limit|quota|maximum|allowance|allowed|exceed|too many|rate|capacity|threshold",
	// The sender's side.
	"from":   "sender|from address|from: address|mail from|from header|return path|return-path|envelope from|reverse-path|sending address|originator",
	"ip":     "[ip]|ip address|ip-address|[ips]|[host]|client host|[mta]|your server|your network|sending server|mail server|your mail",
	"listed": "[listed]|blacklist|black list|black-list|blocklist|block list|block-list|denylist|deny list|blacklisted|blocklisted|banned|dnsbl|[rbl]|[bl]|[dnsrbl]|[rbls]",
	"must":   "must|required|requires|require|[need]|[needs]|please|first|before|have to|mandatory|necessary",
	"too":    "too many|too much|too often|too fast|too quickly|more than|faster than|exceed|over the|maximum|used up|exhausted|reached|repeated|limit",
	"ours":   "on this server|on our server|by this server|by our server|here|hosted|handled|served|[local]|our domain",
	"drop":   "lost|dropped|closed|reset|aborted|broken|interrupted|terminated|disconnected|hung up|died|went away",
	"blank":  "is empty|[empty]|is missing|[missing]|not set|not specified|not configured|not defined|is not given|not provided|no host|[undefined]|is null|unset|is blank|[incomplete]|not been set|not entered|has not been|is required|cannot be empty|must be set",
	"mail":   "[mail]|e-mail|[email]|emails|mails|messages|[message]",
	"domain": "[domain]|domains|domain name|hostname|host name",

	// The same in German, French, Spanish, Portuguese, Italian, Dutch, Polish,
	// Russian, Japanese and Chinese; stems, where endings vary.
	"box*": "postfach|mailbox|empfänger|benutzer|konto|adresse|boîte|destinataire|utilisateur|compte|buzón|buzon|destinatario|usuario|cuenta|dirección|direccion|caixa|destinatário|usuário|[conta]|endereço|casella|utente|indirizzo|postvak|ontvanger|geadresseerde|gebruiker|[adres]|" +
		"ящик|получател|пользовател|адрес|учетн|учётн|メールボックス|ユーザ|宛先|アドレス|受信者|邮箱|信箱|用户|收件人|地址|帐号|账号|郵箱|使用者|skrzynk|odbiorc|użytkownik",
	"absent*": "existiert nicht|unbekannt|nicht gefunden|nicht vorhanden|ungültig|inconnu|introuvable|n'existe|inexist|invalide|pas trouvé|desconocid|no existe|no encontrad|incorrect|não existe|nao existe|desconhecid|não encontrad|inválid|non esiste|sconosciut|non trovat|inesistent|bestaat niet|onbekend|niet gevonden|" +
		"не существует|не найден|неизвест|неверн|存在しません|見つかりません|不明|不存在|找不到|错误|无效|nie istnieje|nieznan",
	"full*":  "[voll]|überschritten|kontingent|speicherplatz|[plein]|pleine|dépassé|[quota]|saturé|llen|super|excedid|almacenamiento|cheia|excedeu|armazenamento|[piena]|[pieno]|superat|esaurit|[vol]|overschreden|переполнен|превы|квот|いっぱい|超え|容量|已满|滿|超出|超过|pełn|przepełn|przekroczon",
	"shut*":  "gesperrt|deaktiviert|inaktiv|désactivé|bloqué|suspendu|inactif|desactivad|bloquead|suspendid|desativad|suspens|inativ|disabilitat|sospes|bloccat|disattivat|geblokkeerd|uitgeschakeld|inactief|заблокирован|отключ|неактив|停止|無効|禁用|停用|冻结|zablokowan",
	"from*":  "absender|expéditeur|expediteur|remitente|remetente|mittente|afzender|отправител|差出人|送信者|发件人|nadawc",
	"mail*":  "nachricht|[e-mail]|[mail]|[message]|mensaje|mensagem|messaggio|bericht|письмо|сообщени|メッセージ|メール|邮件|信件|wiadomo",
	"size*":  "groß|gross|größe|volumineu|taille|[grande]|tamaño|tamanho|dimension|[groot]|grootte|размер|больш|サイズ|大小|过大|太大|rozmiar|[duża]|[duży]",
	"file*":  "anhang|anhänge|pièce jointe|pièces jointes|adjunto|anexo|allegat|bijlage|вложени|添付|附件|załącznik",
	"not*":   "nicht erlaubt|nicht zulässig|verboten|abgelehnt|blockiert|interdit|refus|non autorisé|bloqué|no permitid|prohibid|rechazad|não permitid|proibid|rejeitad|bloquead|non consentit|vietat|rifiutat|niet toegestaan|geweigerd|geblokkeerd|запрещ|отклон|не допуска|拒否|禁止|许可|不允许|拒绝|zabronion|odrzucon",
	"owned*": "gehört nicht|nicht berechtigt|n'appartient|pas autorisé|no pertenece|no autorizad|não pertence|não autorizad|non appartiene|non autorizzat|hoort niet|behoort niet|не принадлежит|не соответ|不属于|不一致|一致しません|nie należy",
}
