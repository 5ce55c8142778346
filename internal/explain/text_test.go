package explain

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/wellsent/wellsent/internal/cause"
	"github.com/wellsent/wellsent/internal/evidence"
)

// each returns "recipient cause" of each finding.
func each(found []Finding) []string {
	out := []string{}
	for _, x := range found {
		out = append(out, strings.TrimSpace(x.Recipient+" "+string(x.Cause)))
	}
	return out
}

func same(t *testing.T, name, text string, want ...string) {
	t.Helper()
	if got := each(Text(text, Facts{})); !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", name, got, want)
	}
}

// TestText_Forms holds that a failure is named however it was copied.
func TestText_Forms(t *testing.T) {
	const reply = "552 5.2.2 <ann@example.org>: the recipient's mailbox is full"
	utf16le := func(s string) string {
		b := []byte{0xff, 0xfe}
		for _, u := range utf16.Encode([]rune(s)) {
			b = append(b, byte(u), byte(u>>8))
		}
		return string(b)
	}
	for name, text := range map[string]string{
		"plain":       reply,
		"broken":      "552 5.2.2 <ann@example.org>: the recipient's\n    mailbox is\n full",
		"cut off":     "2 5.2.2 <ann@example.org>: the recipient's mailbox is full, please try la",
		"quoted":      "> Error: it says\n> " + reply + "\n>\n> what now?",
		"twice":       ">> " + reply + "\n>> thanks\n",
		"prefix":      "Error: SMTP error: " + reply,
		"in quotes":   `"` + reply + `"`,
		"html":        "<html><body><p>Delivery failed:</p><pre>552 5.2.2 &lt;ann@example.org&gt;: the recipient&#39;s <b>mailbox</b> is full</pre></body></html>",
		"colour":      "\x1b[31m" + strings.Replace(reply, "mailbox", "\x1b[1mmailbox\x1b[0m\x1b[31m", 1) + "\x1b[0m",
		"json":        `{"level":"error","msg":"send failed","err":"552 5.2.2 \u003cann@example.org\u003e: the recipient's mailbox\nis full\n"}`,
		"stack trace": "Traceback (most recent call last):\n  File \"send.py\", line 3, in <module>\nsmtplib.SMTPRecipientsRefused: {'ann@example.org': (552, b\"5.2.2 <ann@example.org>: the recipient's mailbox is full\")}",
		"bom":         "\ufeff" + reply,
		"utf-16":      utf16le(reply),
		"utf-16 be":   "\xfe\xff\x00" + strings.Join(strings.Split(reply, ""), "\x00"),
		"crlf":        "552-5.2.2 <ann@example.org>: the recipient's\r\n552 5.2.2 mailbox is full\r\n",
	} {
		if x := Text(text, Facts{})[0]; x.Cause != "recipient.mailbox-full" {
			t.Errorf("%s: %s", name, x.Cause)
		}
	}
	same(t, "latin-1", "535 Échec de l'authentification : mot de passe invalide", "auth.credentials-rejected")
	same(t, "latin-1", "535 \xc9chec de l'authentification : mot de passe invalide", "auth.credentials-rejected")
}

// TestText_Languages holds that bounces are understood in the languages in which
// Exchange and others write them.
func TestText_Languages(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"Fehler bei der Nachrichtenzustellung an folgende Empfänger oder Gruppen:\n\nDie eingegebene E-Mail-Adresse konnte nicht gefunden werden.", "recipient.unknown"},
		{"Échec de la remise pour ces destinataires ou groupes :\n\nL'adresse de messagerie que vous avez entrée est introuvable.", "recipient.unknown"},
		{"No se pudo entregar el mensaje a estos destinatarios o grupos:\n\nNo se encontró la dirección de correo electrónico que ha especificado.", "recipient.unknown"},
		{"Falha na entrega a estes destinatários ou grupos:\n\nO endereço de email que você digitou não foi encontrado.", "recipient.unknown"},
		{"Recapito non riuscito per i seguenti destinatari o gruppi:\n\nImpossibile trovare l'indirizzo di posta elettronica immesso.", "recipient.unknown"},
		{"De bezorging aan deze geadresseerden of groepen is mislukt:\n\nHet opgegeven e-mailadres is niet gevonden.", "recipient.unknown"},
		{"次の受信者またはグループへの配信に失敗しました:\n\n入力したメールアドレスが見つかりませんでした。", "recipient.unknown"},
		{"传递给以下收件人或通讯组失败:\n\n找不到您输入的电子邮件地址。", "recipient.unknown"},
		{"Не удалось доставить сообщение следующим получателям или группам рассылки:\n\nНе удалось найти указанный адрес электронной почты.", "recipient.unknown"},
		{"Das Postfach des Empfängers ist voll und kann zurzeit keine Nachrichten annehmen.", "recipient.mailbox-full"},
		{"La boîte aux lettres du destinataire est pleine.", "recipient.mailbox-full"},
		{"El buzón del destinatario está lleno y no puede aceptar mensajes.", "recipient.mailbox-full"},
		{"A caixa de correio do destinatário está cheia.", "recipient.mailbox-full"},
		{"La casella postale del destinatario è piena.", "recipient.mailbox-full"},
		{"Het postvak van de geadresseerde is vol.", "recipient.mailbox-full"},
		{"受信者のメールボックスがいっぱいです。", "recipient.mailbox-full"},
		{"收件人的邮箱已满,现在无法接收邮件。", "recipient.mailbox-full"},
		{"Почтовый ящик получателя переполнен.", "recipient.mailbox-full"},
		{"Diese Nachricht ist zu groß. Bitte verkleinern Sie die Nachricht.", "message.too-large"},
		{"Ce message est trop volumineux pour être envoyé.", "message.too-large"},
		{"この メッセージのサイズ が制限を超えています。", "message.too-large"},
	} {
		if x := Text(c.text, Facts{Stage: evidence.StageBounce})[0]; string(x.Cause) != c.want {
			t.Errorf("%s, want %s: %s", x.Cause, c.want, c.text)
		}
	}
}

// TestText_Recipients holds that each recipient of a bounce has a finding.
func TestText_Recipients(t *testing.T) {
	same(t, "qmail", "Hi. This is the qmail-send program at mx.example.net.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n"+
		"<ann@example.org>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n<bob@example.com>:\n192.0.2.7 does not like recipient.\nRemote host said: 552 5.2.2 mailbox full\nGiving up on 192.0.2.7.\n\n"+
		"--- Below this line is a copy of the message.\n\nSubject: spam virus\n",
		"ann@example.org recipient.unknown", "bob@example.com recipient.mailbox-full")
	same(t, "Postfix", "This is the mail system at host mail.example.net.\n\nI'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients.\n\n"+
		"<ann@example.org>: host mx.example.org[192.0.2.7] said: 550 5.1.1 <ann@example.org>:\n    Recipient address rejected: User unknown (in reply to RCPT TO command)\n\n"+
		"<bob@exmaple.com>: Host or domain name not found. Name service error for\n    name=exmaple.com type=A: Host not found\n",
		"ann@example.org recipient.unknown", "bob@exmaple.com recipient.domain-not-found")
	same(t, "Exim", "This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n"+
		"  ann@example.org\n    host mx.example.org [192.0.2.7]\n    SMTP error from remote mail server after end of data:\n    550 5.7.1 message looks like spam\n  bob@example.com\n    all hosts for 'example.com' have been failing for a long time (and retry time not reached)\n",
		"ann@example.org message.spam", "bob@example.com delivery.host-unreachable")
	same(t, "Exchange", "Delivery has failed to these recipients or groups:\n\nAnn (ann@example.org)<mailto:ann@example.org>\nThe email address you entered couldn't be found.\n\nbob@example.com<mailto:bob@example.com>\nThe recipient's mailbox is full and can't accept messages now.\n\n"+
		"Diagnostic information for administrators:\n\nGenerating server: EX1.example.net\n\nann@example.org\n#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##\n\nbob@example.com\n#554 5.2.2 mailbox full ##\n",
		"ann@example.org recipient.unknown", "bob@example.com recipient.mailbox-full")
	same(t, "Sendmail", "The original message was received at Sat, 12 Jun 2010 16:34:40 +0900\n\n   ----- The following addresses had permanent fatal errors -----\n<ann@example.org>\n    (reason: 550 5.1.1 <ann@example.org>... User unknown)\n<bob@example.com>\n    (reason: 552 5.3.4 Message is too large)\n\n   ----- Transcript of session follows -----\n... while talking to mx.example.org.:\n",
		"ann@example.org recipient.unknown", "bob@example.com message.too-large")
	same(t, "one", "This is the mail system at host mail.example.net.\n\n<ann@example.org>: host mx.example.org[192.0.2.7] said: 550 5.1.1 User unknown\n", "ann@example.org recipient.unknown")
}

// TestText_Letters holds that a bounce is understood as the file that it is.
func TestText_Letters(t *testing.T) {
	report := "From: MAILER-DAEMON@mail.example.net\nTo: me@example.net\nSubject: Undelivered Mail Returned to Sender\nDate: Thu, 29 Apr 2021 10:00:00 +0000\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n" +
		"--b\nContent-Type: text/plain\n\nSorry.\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mail.example.net\n\n" +
		"Final-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no such user\n\n" +
		"Final-Recipient: rfc822; cy@example.org\nAction: delivered\nStatus: 2.0.0\n\n" +
		"Final-Recipient: rfc822; bob@example.com\nAction: delayed\nStatus: 4.4.1\nDiagnostic-Code: X-Postfix; connect to mx.example.com[192.0.2.7]:25: Connection timed out\n\n" +
		"Final-Recipient: rfc822; dan@example.com\nAction: failed\nStatus: 5.0.0\nX-Wellsent-Cause: message.virus\n\n" +
		"--b\nContent-Type: message/rfc822\n\nSubject: the recipient is over quota\n\nspam\n--b--\n"
	want := []string{"ann@example.org recipient.unknown", "bob@example.com delivery.host-unreachable", "dan@example.com message.virus"}
	same(t, "report", report, want...)
	same(t, "report with CRLF", strings.ReplaceAll(report, "\n", "\r\n"), want...)
	same(t, "report in an mbox", "From MAILER-DAEMON Thu Apr 29 10:00:00 2021\n"+report, want...)

	words := "Die Nachricht konnte nicht zugestellt werden.\n\n<ann@example.org>:\nDas Postfach des Empfängers ist voll.\n"
	same(t, "base64", "Return-Path: <>\nFrom: postmaster@example.net\nSubject: =?utf-8?q?Unzustellbar?=\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n"+
		base64.StdEncoding.EncodeToString([]byte(words))+"\n", "ann@example.org recipient.mailbox-full")
	same(t, "quoted-printable", "Return-Path: <>\nFrom: postmaster@example.net\nSubject: Unzustellbar\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=x\n\n"+
		"--x\nContent-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n<p>Das Postfach des Empf=E4ngers &lt;ann@example.org&gt; ist =\nvoll.</p>\n--x--\n", "recipient.mailbox-full")
	same(t, "ISO-2022-JP", "Return-Path: <>\nFrom: MAILER-DAEMON@example.jp\nSubject: failure notice\nMIME-Version: 1.0\nContent-Type: text/plain; charset=iso-2022-jp\n\n\x1b$B<u?.<T$N%a!<%k%\\%C%/%9$,$$$C$Q$$$G$9!#\x1b(B\n", "recipient.mailbox-full")
}

// TestText_Logs holds that the last word about each recipient counts.
func TestText_Logs(t *testing.T) {
	same(t, "Postfix", "Jan 12 10:00:00 mx postfix/smtp[1]: 4F2A91C0: to=<ann@example.org>, relay=none, delay=30, dsn=4.4.1, status=deferred (connect to mx.example.org[192.0.2.7]:25: Connection timed out)\n"+
		"Jan 12 10:00:01 mx postfix/smtp[1]: 4F2A91C1: to=<bob@example.com>, relay=mx.example.com[192.0.2.8]:25, dsn=5.1.1, status=bounced (host mx.example.com[192.0.2.8] said: 550 5.1.1 User unknown (in reply to RCPT TO command))\n"+
		"Jan 12 10:00:02 mx postfix/smtp[1]: 4F2A91C2: to=<cy@example.com>, relay=mx.example.com[192.0.2.8]:25, dsn=2.0.0, status=sent (250 2.0.0 Ok)\n"+
		"Jan 12 11:00:00 mx postfix/smtp[1]: 4F2A91C0: to=<ann@example.org>, relay=mx.example.org[192.0.2.7]:25, dsn=4.2.2, status=deferred (host mx.example.org[192.0.2.7] said: 452 4.2.2 Mailbox full (in reply to RCPT TO command))\n",
		"ann@example.org recipient.mailbox-full", "bob@example.com recipient.unknown")
	same(t, "Exim", "2024-01-12 10:00:00 1rOabc-0001Xy-2B == ann@example.org R=dnslookup T=remote_smtp defer (110): Connection timed out\n"+
		"2024-01-12 10:00:00 1rOabc-0001Xy-2B ** bob@example.com R=dnslookup T=remote_smtp: SMTP error from remote mail server after RCPT TO:<bob@example.com>: host mx.example.com [192.0.2.8]: 550 No Such User Here\n"+
		"2024-01-12 10:00:00 1rOabc-0001Xy-2B => cy@example.com R=dnslookup T=remote_smtp H=mx.example.com [192.0.2.8]\n",
		"ann@example.org delivery.host-unreachable", "bob@example.com recipient.unknown")
	same(t, "Exchange", "#Software: Microsoft Exchange Server\n#Fields: date-time,event-id,recipient-address,recipient-status,sender-address\n"+
		"2024-01-12T10:00:00.000Z,RECEIVE,ann@example.org;bob@example.com,,me@example.net\n"+
		"2024-01-12T10:00:01.000Z,FAIL,ann@example.org;bob@example.com,'550 5.1.1 User unknown';'552 5.3.4 Message too big',me@example.net\n"+
		"2024-01-12T10:00:01.000Z,DELIVER,cy@example.net,,me@example.net\n",
		"ann@example.org recipient.unknown", "bob@example.com message.too-large")
	same(t, "ours", `time=2026-01-12T10:00:00Z level=WARN msg=deferred queue_id=3f9a rcpt=ann@example.org from=me@example.net stage=rcpt host="mx.example.org [192.0.2.7]" reply="450 4.7.1 try again" cause=greylist.deferred attempts=1`, "ann@example.org greylist.deferred")
	same(t, "ours, JSON", `{"time":"2026-01-12T10:00:00Z","level":"WARN","msg":"failed","queue_id":"3f9a","rcpt":"ann@example.org","stage":"data","reply":"554 5.7.1 no","cause":"message.spam"}`+"\n"+
		`{"time":"2026-01-12T10:00:00Z","level":"INFO","msg":"delivered","queue_id":"3f9b","rcpt":"bob@example.org","stage":"data","reply":"250 ok","cause":""}`, "ann@example.org message.spam")
	same(t, "all delivered", "Jan 12 10:00:02 mx postfix/smtp[1]: 4F2A91C2: to=<cy@example.com>, dsn=2.0.0, status=sent (250 2.0.0 Ok)\nJan 12 10:00:03 mx postfix/smtp[1]: 4F2A91C3: to=<dan@example.com>, dsn=2.0.0, status=sent (250 2.0.0 Ok)\n", "")
}

// TestText_HostNames holds that the names of hosts and people prove nothing.
func TestText_HostNames(t *testing.T) {
	for _, host := range []string{"spam-filter.example.net", "virus.blocked.example.com", "relay01.full-mailbox.example.org", "greylist.quota.example.net", "user-unknown.example.com"} {
		for _, c := range []struct{ text, want string }{
			{"host " + host + "[192.0.2.7] said: 550 5.1.1 <ann@example.org>: Recipient address rejected: User unknown in local recipient table (in reply to RCPT TO command)", "recipient.unknown"},
			{"552 5.2.2 " + host + " the recipient's mailbox is full", "recipient.mailbox-full"},
			{"connect to " + host + "[192.0.2.7]:25: Connection refused", "delivery.host-unreachable"},
			{"554 5.7.1 " + host + " message looks like spam <quota-virus-greylist@" + host + ">", "message.spam"},
		} {
			if x := Text(c.text, Facts{Stage: evidence.StageBounce})[0]; string(x.Cause) != c.want {
				t.Errorf("%s, want %s: %s", x.Cause, c.want, c.text)
			}
		}
	}
}

// TestText_Structure holds that a text with no words of its own is judged by codes
// and stage, and that it is no more than possible.
func TestText_Structure(t *testing.T) {
	for _, c := range []struct {
		text  string
		stage evidence.Stage
		want  string
	}{
		{"550 5.1.1 x", evidence.StageRcpt, "recipient.unknown"}, {"552 5.2.2 x", evidence.StageRcpt, "recipient.mailbox-full"}, {"452 4.3.1 x", evidence.StageMail, "server.insufficient-storage"},
		{"550 5.7.23 x", evidence.StageMail, "policy.spf-failed"}, {"550 5.7.25 x", evidence.StageRcpt, "sender.no-reverse-dns"}, {"535", evidence.StageAuth, "auth.credentials-rejected"},
		{"538", evidence.StageAuth, "auth.encryption-required"}, {"421", evidence.StageGreeting, "server.temporary-failure"}, {"554", evidence.StagePostData, "server.unspecified-rejection"},
		{"503", evidence.StageData, "protocol.bad-sequence"}, {"556", evidence.StageRcpt, "recipient.null-mx"}, {"454", evidence.StageStartTLS, "tls.server-unavailable"},
	} {
		x := Text(c.text, Facts{Stage: c.stage})[0]
		if string(x.Cause) != c.want || x.Confidence == Certain {
			t.Errorf("%s at %s: %s %s, want %s", c.text, c.stage, x.Cause, x.Confidence, c.want)
		}
	}
}

// TestText_Unsure holds that a guess says so and names what else it may be.
func TestText_Unsure(t *testing.T) {
	x := Text("550 5.7.1 Access denied", Facts{Stage: evidence.StageRcpt})[0]
	if x.Confidence != Possible || len(x.Alternatives) == 0 {
		t.Errorf("%s %s, alternatives %s", x.Cause, x.Confidence, x.Alternatives)
	}
}

// TestText_Large holds that much of anything takes bounded time; some of it as much
// as is read.
func TestText_Large(t *testing.T) {
	if testing.Short() {
		t.Skip("reads many mebibytes")
	}
	for name, unit := range map[string]string{
		"one letter": "a", "replies": "550 5.1.1 user unknown\n", "recipients": "<ann@example.org>:\nuser unknown\n", "angle brackets": "<p <a ", "escapes": `\n\u0041\"`, "quotes": ">", "Postfix": "to=<a@b.example>, status=deferred (x)\n",
		"digits": "550-", "words": "mailbox full user unknown over quota ", "at signs": "a@", "nothing": "\x00", "ours": "queue_id=1 rcpt=a cause=b ", "high": "\xff\xfe", "header": "A: b\n", "colour": "\x1b[",
	} {
		size := maxText / 10
		if name == "recipients" || name == "header" || name == "escapes" {
			size = maxText + 1<<10
		}
		start := time.Now()
		x := Text(strings.Repeat(unit, size/len(unit)), Facts{})
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s: %s", name, took)
		} else if testing.Verbose() {
			t.Log(name, took, len(x))
		}
	}
}

// FuzzText holds that nothing breaks the reading of a text.
func FuzzText(f *testing.F) {
	f.Add("550 5.1.1 user unknown", "rcpt")
	f.Add("<html><body>&lt;ann@example.org&gt;: 552 full</body></html>", "")
	f.Add("334 eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIn0=", "auth")
	f.Add("\xff\xfea\x00", "bounce")
	f.Add(`{"queue_id":"1","rcpt":"a@b.example","cause":"net.timeout"}`, "")
	f.Add("Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.0.0\n", "bounce")
	f.Add("From: a@b.example\nSubject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n", "")
	f.Fuzz(func(t *testing.T, text, stage string) {
		found := Text(text, Facts{Stage: evidence.Stage(stage)})
		if len(found) == 0 {
			t.Fatal("no finding at all")
		}
		for _, x := range found {
			if x.Proof == nil || x.Alternatives == nil || x.Do == nil {
				t.Errorf("a list is nil: %+v", x)
			}
			if _, ok := cause.Lookup(x.Cause); !ok && x.Cause != "" {
				t.Errorf("no cause is called %q", x.Cause)
			}
		}
	})
}

// BenchmarkText reads short texts, as the labelled ones are.
func BenchmarkText(b *testing.B) {
	texts := []string{
		"550 5.1.1 <user@example.com>: Recipient address rejected: User unknown in local recipient table",
		"535-5.7.8 Username and Password not accepted. For more information, go to\n535 5.7.8  https://support.google.com/mail/?p=BadCredentials x12sm3318041wrs.9 - gsmtp",
		"Error: connect ECONNREFUSED 127.0.0.1:587",
		"status=deferred (connect to mx.example.org[192.0.2.7]:25: Connection timed out)",
		"ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate (_ssl.c:1129)",
	}
	for i := 0; b.Loop(); i++ {
		Text(texts[i%len(texts)], Facts{})
	}
}
