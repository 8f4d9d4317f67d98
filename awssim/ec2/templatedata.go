package ec2

import (
	"cmp"
)

// readTemplateData reads the members of LaunchTemplateData.
func readTemplateData(f form) (templateData, error) {
	d := templateData{
		ImageID: f.text("ImageId"), InstanceType: f.text("InstanceType"), KeyName: f.text("KeyName"),
		UserData: f.text("UserData"), GroupIDs: f.list("SecurityGroupId"),
	}
	if f.Has("EbsOptimized") {
		optimized := f.flag("EbsOptimized")
		d.EBSOptimized = &optimized
	}
	if p := f.member("IamInstanceProfile"); len(p.Values) > 0 {
		d.Profile = &templateProfile{ARN: p.text("Arn"), Name: p.text("Name")}
	}
	if m := f.member("InstanceMarketOptions"); len(m.Values) > 0 {
		d.Market = &templateMarket{Type: m.text("MarketType")}
	}
	for _, spec := range f.structs("TagSpecification") {
		var tags Tags
		for _, t := range spec.tags() {
			tags = tags.with(t)
		}
		d.TagSpecs = append(d.TagSpecs, templateTags{ResourceType: spec.text("ResourceType"), Tags: tags})
	}
	if err := d.readMetadata(f.member("MetadataOptions")); err != nil {
		return d, err
	}
	for _, device := range f.structs("BlockDeviceMapping") {
		v, err := readTemplateDevice(device)
		if err != nil {
			return d, err
		}
		d.Devices = append(d.Devices, v)
	}
	return d, nil
}

func (d *templateData) readMetadata(f form) error {
	if len(f.Values) == 0 {
		return nil
	}
	hops, err := f.number("HttpPutResponseHopLimit", 0)
	d.Metadata = &templateMeta{
		State: "applied", Tokens: f.text("HttpTokens"), Endpoint: f.text("HttpEndpoint"), HopLimit: hops, Tags: f.text("InstanceMetadataTags"),
	}
	return err
}

func readTemplateDevice(f form) (templateDevice, error) {
	ebs := f.member("Ebs")
	v := templateDevice{Name: f.text("DeviceName"), EBS: templateEBS{
		Type: ebs.text("VolumeType"), Encrypted: ebs.flag("Encrypted"), KeyID: ebs.text("KmsKeyId"), Delete: ebs.flag("DeleteOnTermination"),
	}}
	for name, value := range map[string]*int{"VolumeSize": &v.EBS.Size, "Iops": &v.EBS.IOPS, "Throughput": &v.EBS.Throughput} {
		n, err := ebs.number(name, 0)
		if err != nil {
			return v, err
		}
		*value = n
	}
	return v, nil
}

// over takes what the data does not say from a source version.
func (d templateData) over(source templateData) templateData {
	d.ImageID = cmp.Or(d.ImageID, source.ImageID)
	d.InstanceType = cmp.Or(d.InstanceType, source.InstanceType)
	d.KeyName = cmp.Or(d.KeyName, source.KeyName)
	d.UserData = cmp.Or(d.UserData, source.UserData)
	d.EBSOptimized = cmp.Or(d.EBSOptimized, source.EBSOptimized)
	d.Profile = cmp.Or(d.Profile, source.Profile)
	d.Metadata = cmp.Or(d.Metadata, source.Metadata)
	d.Market = cmp.Or(d.Market, source.Market)
	if d.GroupIDs == nil {
		d.GroupIDs = source.GroupIDs
	}
	if d.Devices == nil {
		d.Devices = source.Devices
	}
	if d.TagSpecs == nil {
		d.TagSpecs = source.TagSpecs
	}
	return d
}
