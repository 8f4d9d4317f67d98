package account

import (
	"fmt"
	"regexp"
	"slices"
)

// contact is an alternate contact as it is kept and answered.
type contact struct {
	AlternateContactType string
	EmailAddress         string
	Name                 string
	PhoneNumber          string
	Title                string
}

// information is an account's primary contact as it is kept and answered.
type information struct {
	AddressLine1     string
	AddressLine2     string `json:",omitempty"`
	AddressLine3     string `json:",omitempty"`
	City             string
	CompanyName      string `json:",omitempty"`
	CountryCode      string
	DistrictOrCounty string `json:",omitempty"`
	FullName         string
	PhoneNumber      string
	PostalCode       string
	StateOrRegion    string `json:",omitempty"`
	WebsiteURL       string `json:"WebsiteUrl,omitempty"`
}

var (
	email       = regexp.MustCompile(`^\s*[\w+=.#|!&-]+@[\w.-]+\.[\w]+\s*$`)
	phone       = regexp.MustCompile(`^[\s0-9()+-]{1,25}$`)
	fullPhone   = regexp.MustCompile(`^[+][\s0-9()-]{1,20}$`)
	countryCode = regexp.MustCompile(`^[A-Z]{2}$`)
)

// statesNeeded are the countries for which AWS wants a state or region.
func statesNeeded() []string { return []string{"US", "CA", "GB", "DE", "JP", "IN", "BR"} }

type typeInput struct{ AlternateContactType string }

func (in typeInput) check() error {
	if !slices.Contains([]string{"BILLING", "OPERATIONS", "SECURITY"}, in.AlternateContactType) {
		return invalid("Value '%s' at 'alternateContactType' failed to satisfy constraint: Member must satisfy enum value set: [BILLING, OPERATIONS, SECURITY]", in.AlternateContactType)
	}
	return nil
}

func (s *Service) putContact(account string, in contact) (any, error) {
	if err := (typeInput{in.AlternateContactType}).check(); err != nil {
		return nil, err
	}
	switch {
	case !email.MatchString(in.EmailAddress) || len(in.EmailAddress) > 254:
		return nil, invalid("The e-mail address of the contact is invalid.")
	case in.Name == "" || len(in.Name) > 64:
		return nil, invalid("The name of the contact must have between 1 and 64 characters.")
	case in.Title == "" || len(in.Title) > 50:
		return nil, invalid("The title of the contact must have between 1 and 50 characters.")
	case !phone.MatchString(in.PhoneNumber):
		return nil, invalid("The phone number of the contact is invalid.")
	}
	if err := s.contacts.Put(account, "", in.AlternateContactType, in); err != nil {
		return nil, fmt.Errorf("keep a contact of account %s: %w", account, err)
	}
	return nil, nil
}

func (s *Service) contact(account string, in typeInput) (contact, error) {
	if err := in.check(); err != nil {
		return contact{}, err
	}
	v, ok := s.contacts.Get(account, "", in.AlternateContactType)
	if !ok {
		return v, notFound("No contact of the inputted alternate contact type found.")
	}
	return v, nil
}

func (s *Service) getContact(account string, in typeInput) (any, error) {
	v, err := s.contact(account, in)
	if err != nil {
		return nil, err
	}
	return struct{ AlternateContact contact }{v}, nil
}

func (s *Service) deleteContact(account string, in typeInput) (any, error) {
	v, err := s.contact(account, in)
	if err != nil {
		return nil, err
	}
	if err := s.contacts.Delete(account, "", v.AlternateContactType); err != nil {
		return nil, fmt.Errorf("delete a contact of account %s: %w", account, err)
	}
	return nil, nil
}

func (s *Service) putInformation(account string, in struct{ ContactInformation information }) (any, error) {
	v := in.ContactInformation
	for _, required := range []string{v.AddressLine1, v.City, v.FullName, v.PostalCode} {
		if required == "" {
			return nil, invalid("An address needs addressLine1, city, countryCode, fullName, phoneNumber and postalCode.")
		}
	}
	switch {
	case !countryCode.MatchString(v.CountryCode):
		return nil, invalid("The country code %q is invalid.", v.CountryCode)
	case !fullPhone.MatchString(v.PhoneNumber):
		return nil, invalid("The phone number %q is invalid: it begins with + and the country's code.", v.PhoneNumber)
	case v.StateOrRegion == "" && slices.Contains(statesNeeded(), v.CountryCode):
		return nil, invalid("An address in %s needs a state or region.", v.CountryCode)
	}
	if err := s.primary.Put(account, "", account, v); err != nil {
		return nil, fmt.Errorf("keep the contact information of account %s: %w", account, err)
	}
	return nil, nil
}

// getInformation answers what was put. An account has the management account's
// until then, as Organizations copies it to the accounts that it makes.
func (s *Service) getInformation(account string, _ struct{}) (any, error) {
	for _, id := range []string{account, s.org.Management()} {
		if v, ok := s.primary.Get(id, "", id); ok {
			return struct{ ContactInformation information }{v}, nil
		}
	}
	return nil, notFound("No contact information found for account %s.", account)
}
