package server

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"strings"

	"kargo.dev/kargo/awssim/api"
)

func contentType(p api.Protocol) string {
	switch p {
	case api.EC2Query:
		return "text/xml;charset=UTF-8"
	case api.Query:
		return "text/xml"
	case api.JSON11:
		return "application/x-amz-json-1.1"
	case api.RESTJSON:
	}
	return "application/json"
}

// marshal writes a result in the service's protocol.
func marshal(s *service, c *api.Call, result any) ([]byte, error) {
	switch s.Protocol() {
	case api.EC2Query:
		return marshalEC2(s, c, result)
	case api.Query:
		return marshalQuery(s, c, result)
	case api.JSON11, api.RESTJSON:
	}
	if result == nil {
		return []byte("{}"), nil
	}
	body, err := json.Marshal(result)
	if err != nil {
		return nil, fmt.Errorf("marshal the result of %s: %w", c.Operation, err)
	}
	return body, nil
}

// marshalEC2 writes <XResponse><requestId>...</requestId>fields</XResponse>.
// Operations without a result answer <return>true</return>.
func marshalEC2(s *service, c *api.Call, result any) ([]byte, error) {
	fields := []byte("<return>true</return>")
	if result != nil {
		var err error
		if fields, err = inner(result); err != nil {
			return nil, fmt.Errorf("marshal the result of %s: %w", c.Operation, err)
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `%s<%sResponse xmlns="%s"><requestId>%s</requestId>%s</%sResponse>`,
		xmlHeader, c.Operation, s.XMLNamespace(), c.ID, fields, c.Operation)
	return b.Bytes(), nil
}

// marshalQuery writes <XResponse><XResult>fields</XResult><ResponseMetadata>...
func marshalQuery(s *service, c *api.Call, result any) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `%s<%sResponse xmlns="%s">`, xmlHeader, c.Operation, s.XMLNamespace())
	if result != nil {
		fields, err := inner(result)
		if err != nil {
			return nil, fmt.Errorf("marshal the result of %s: %w", c.Operation, err)
		}
		fmt.Fprintf(&b, "<%sResult>%s</%sResult>", c.Operation, fields, c.Operation)
	}
	fmt.Fprintf(&b, "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>", c.ID, c.Operation)
	return b.Bytes(), nil
}

const xmlHeader = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// inner is a value's XML without its outermost element, whatever that is called.
func inner(v any) ([]byte, error) {
	var b bytes.Buffer
	if err := xml.NewEncoder(&b).EncodeElement(v, xml.StartElement{Name: xml.Name{Local: "x"}}); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(bytes.TrimPrefix(b.Bytes(), []byte("<x>")), []byte("</x>")), nil
}

// failureAnswer writes an error in a protocol's form.
func failureAnswer(p api.Protocol, namespace, id string, e *api.Error) answer {
	a := answer{status: e.Status(), contentType: contentType(p), code: e.Code}
	switch p {
	case api.EC2Query:
		a.body = fmt.Appendf(nil, `%s<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>%s</RequestID></Response>`,
			xmlHeader, escapeXML(e.Code), escapeXML(e.Message), id)
	case api.Query:
		kind := "Sender"
		if a.status >= 500 {
			kind = "Receiver"
		}
		a.body = fmt.Appendf(nil, `%s<ErrorResponse xmlns="%s"><Error><Type>%s</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>%s</RequestId></ErrorResponse>`,
			xmlHeader, namespace, kind, escapeXML(e.Code), escapeXML(e.Message), id)
	case api.JSON11:
		a.body = mustJSON(failureJSON(e, map[string]string{"__type": e.Code}))
	case api.RESTJSON:
		a.errorType = e.Code
		a.body = mustJSON(failureJSON(e, map[string]string{}))
	}
	return a
}

// failureJSON adds the members of an error. Services spell the message's name
// differently; clients look for theirs.
func failureJSON(e *api.Error, body map[string]string) map[string]string {
	maps.Copy(body, e.Details)
	body["message"], body["Message"] = e.Message, e.Message
	return body
}

func escapeXML(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a builder does not fail
	return b.String()
}

// mustJSON marshals what cannot fail.
func mustJSON(v map[string]string) []byte {
	b, _ := json.Marshal(v)
	return b
}
