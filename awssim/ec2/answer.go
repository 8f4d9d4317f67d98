package ec2

import (
	"encoding/xml"
	"reflect"
)

// answer is the body of an answer: elements by AWS's names, in order.
type answer []element

// element is one member of an answer. Members of a slice become <item>s.
type element struct {
	Name  string
	Value any
}

// items are answers that make a list.
type items []answer

// done is the answer of operations that only succeed.
func done() (any, error) { return answer{{"return", true}}, nil }

// MarshalXML implements xml.Marshaler: the elements within the start element.
func (a answer) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	for _, el := range a {
		if err := el.encode(e); err != nil {
			return err
		}
	}
	return e.EncodeToken(start.End())
}

func (el element) encode(e *xml.Encoder) error {
	start := xml.StartElement{Name: xml.Name{Local: el.Name}}
	v := reflect.ValueOf(el.Value)
	switch {
	case !v.IsValid() || v.Kind() == reflect.String && v.Len() == 0:
		return nil // AWS leaves out what has no value
	case v.Kind() != reflect.Slice || v.Type() == reflect.TypeFor[answer]():
		return e.EncodeElement(el.Value, start)
	}
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	for i := range v.Len() {
		if err := e.EncodeElement(v.Index(i).Interface(), xml.StartElement{Name: xml.Name{Local: "item"}}); err != nil {
			return err
		}
	}
	return e.EncodeToken(start.End())
}
